"""Chat Completions: the protocol of OpenAI that most other services speak as well."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime

from agentgraph.exceptions import UnexpectedModelBehavior, UserError
from agentgraph.messages import ModelMessage, ModelResponse, ModelResponseStreamEvent
from agentgraph.model import Model, ModelRequestParameters, StreamedResponse
from agentgraph.models import check_allow_model_requests
from agentgraph.providers import Provider, infer_provider
from agentgraph.providers.clients import AsyncClient
from agentgraph.providers.openai import OpenAIProvider
from agentgraph.providers.services import SERVICES, ChatProfile, SystemRole
from agentgraph.settings import ModelSettings
from agentgraph.usage import Usage

from .http import Call, EventStream, event_stream, fetch
from .openai_reply import ChatReply, decode
from .openai_request import JSON, encode, streamed
from .openai_settings import OpenAIModelSettings, profile_of

__all__ = ["OpenAIModel", "OpenAIModelSettings", "OpenAIStreamedResponse"]

END = "[DONE]"


class OpenAIModel(Model):
    """A model behind OpenAI's chat protocol, wherever it is served."""

    def __init__(
        self,
        model_name: str,
        *,
        provider: str | Provider = "openai",
        system_prompt_role: SystemRole | None = None,
        api_key: str | None = None,
        base_url: str | None = None,
        http_client: AsyncClient | None = None,
    ) -> None:
        """Settle which model, and where.

        Args:
            model_name: the name that the service knows it by.
            provider: a service by name, with key and address from the environment; or a provider.
            system_prompt_role: whose words system prompts are; None: what the model wants.
            api_key: the key of a service given by name.
            base_url: the address of a service given by name.
            http_client: the client for a service given by name.

        Raises:
            UserError: no such service, no key, or key, address or client beside a provider that has its own.
        """
        self._model_name = model_name
        self._provider = _provider(provider, api_key, base_url, http_client)
        profile = self._provider.profile if isinstance(self._provider, OpenAIProvider) else SERVICES["openai"].chat
        profile = profile_of(profile, model_name)
        self._profile = profile if system_prompt_role is None else replace(profile, system_role=system_prompt_role)

    @property
    def model_name(self) -> str:
        return self._model_name

    @property
    def system(self) -> str:
        return self._provider.name

    @property
    def base_url(self) -> str:
        return self._provider.base_url

    @property
    def profile(self) -> ChatProfile:
        """How requests look."""
        return self._profile

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> tuple[ModelResponse, Usage]:
        check_allow_model_requests()
        body = encode(self._model_name, messages, model_settings, model_request_parameters, self._profile)
        return decode(await fetch(self._call(body, model_settings)), self._model_name)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AsyncGenerator[StreamedResponse]:
        check_allow_model_requests()
        body = encode(self._model_name, messages, model_settings, model_request_parameters, self._profile)
        async with event_stream(self._call(streamed(body, self._profile), model_settings)) as stream:
            yield OpenAIStreamedResponse(stream, self._model_name)

    def _call(self, body: JSON, settings: ModelSettings | None) -> Call:
        settings = settings or {}
        return Call(
            provider=self._provider,
            model_name=self._model_name,
            path="/chat/completions",
            body=body,
            headers=settings.get("extra_headers", {}),
            timeout=settings.get("timeout"),
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._model_name!r}, provider={self._provider!r})"


class OpenAIStreamedResponse(StreamedResponse):
    """A chat reply as it comes."""

    def __init__(self, stream: EventStream, model_name: str) -> None:
        self._stream = stream
        self._reply = ChatReply(model_name)
        self._pending: deque[ModelResponseStreamEvent] = deque()
        self._ended = False
        self._last = ""

    def __aiter__(self) -> OpenAIStreamedResponse:
        return self

    async def __anext__(self) -> ModelResponseStreamEvent:
        while not self._pending:
            try:
                event = await anext(self._stream)
            except StopAsyncIteration:
                self._check_end()
                raise
            if not self._ended:
                self._take(event.data)
        return self._pending.popleft()

    def get(self) -> ModelResponse:
        return self._reply.response()

    def usage(self) -> Usage:
        return self._reply.usage()

    @property
    def model_name(self) -> str:
        return self._reply.model_name

    @property
    def timestamp(self) -> datetime:
        return self._reply.timestamp

    def _take(self, data: str) -> None:
        self._last = data
        if data.strip() == END:
            self._ended = True
            self._stream.finish()
        else:
            self._pending.extend(self._reply.add(data))

    def _check_end(self) -> None:
        if not self._reply.begun or (self._reply.finish is None and not self._ended):
            problem = "is cut off" if self._reply.begun else "holds no choices"
            raise UnexpectedModelBehavior(f"the streamed reply of {self.model_name!r} {problem}", self._last)


def _provider(
    provider: str | Provider, api_key: str | None, base_url: str | None, http_client: AsyncClient | None
) -> Provider:
    own = {"api_key": api_key, "base_url": base_url, "http_client": http_client}
    if isinstance(provider, Provider):
        given = [name for name, value in own.items() if value is not None]
        if given:
            raise UserError(f"{', '.join(given)} beside a provider object, which has its own: pass it to the provider")
        return provider
    if provider in SERVICES:
        return OpenAIProvider(service=provider, api_key=api_key, base_url=base_url, http_client=http_client)
    return infer_provider(provider)
