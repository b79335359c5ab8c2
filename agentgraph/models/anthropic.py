"""Messages: the protocol of Anthropic."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from agentgraph.messages import ModelMessage, ModelResponse
from agentgraph.model import Model, ModelRequestParameters, StreamedResponse
from agentgraph.models import check_allow_model_requests
from agentgraph.providers import Provider, settle_provider
from agentgraph.providers.clients import AsyncClient
from agentgraph.settings import ModelSettings
from agentgraph.usage import Usage

from .anthropic_reply import MessageReply, decode
from .anthropic_request import encode, streamed
from .anthropic_settings import AnthropicModelSettings, encode_headers
from .http import Call, event_stream, fetch
from .streamed import StreamedReply
from .wire import JSON

__all__ = ["AnthropicModel", "AnthropicModelSettings"]


class AnthropicModel(Model):
    """A Claude model, or any other behind Anthropic's protocol."""

    def __init__(
        self,
        model_name: str,
        *,
        provider: str | Provider = "anthropic",
        api_key: str | None = None,
        base_url: str | None = None,
        http_client: AsyncClient | None = None,
    ) -> None:
        """Settle which model, and where.

        Args:
            model_name: the name that the service knows it by.
            provider: `anthropic`, with key and address from the environment; or a provider.
            api_key: the key, where the provider is given by name.
            base_url: the address, where the provider is given by name.
            http_client: the client, where the provider is given by name.

        Raises:
            UserError: no such provider, no key, or key, address or client beside a provider that has its own.
        """
        self._model_name = model_name
        options = {"api_key": api_key, "base_url": base_url, "http_client": http_client}
        self._provider = settle_provider(provider, ("anthropic",), options)

    @property
    def model_name(self) -> str:
        return self._model_name

    @property
    def system(self) -> str:
        return self._provider.name

    @property
    def base_url(self) -> str:
        return self._provider.base_url

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> tuple[ModelResponse, Usage]:
        check_allow_model_requests()
        body = encode(self._model_name, messages, model_settings, model_request_parameters)
        return decode(await fetch(self._call(body, model_settings)), self._model_name)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AsyncGenerator[StreamedResponse]:
        check_allow_model_requests()
        body = encode(self._model_name, messages, model_settings, model_request_parameters)
        async with event_stream(self._call(streamed(body), model_settings)) as stream:
            yield StreamedReply(stream, MessageReply(self._model_name))

    def _call(self, body: JSON, settings: ModelSettings | None) -> Call:
        settings = settings or {}
        return Call(
            provider=self._provider,
            model_name=self._model_name,
            path="/v1/messages",
            body=body,
            headers=encode_headers(settings),
            timeout=settings.get("timeout"),
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._model_name!r}, provider={self._provider!r})"
