"""Groq: chat completions in a dialect of their own."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Literal

from pydantic_core import to_json

from agentgraph.exceptions import ModelHTTPError
from agentgraph.messages import ModelMessage, ModelResponse
from agentgraph.model import ModelRequestParameters, StreamedResponse
from agentgraph.providers import Provider, settle_provider
from agentgraph.providers.clients import AsyncClient
from agentgraph.providers.services import SERVICES
from agentgraph.settings import ModelSettings
from agentgraph.usage import Usage

from .chat import ChatModel
from .groq_reply import GroqReply, is_refused
from .openai_reply import decode
from .openai_settings import profile_of
from .replay import ReplayedResponse
from .wire import JSON

__all__ = ["GroqModel", "GroqModelSettings"]


class GroqModelSettings(ModelSettings, total=False):
    """Settings that Groq has beside the common ones; each is the field without `groq_`."""

    groq_reasoning_format: Literal["parsed", "raw", "hidden"]
    """Whether thinking comes apart from the text, in it, or not at all; wins over `thinking`."""
    groq_reasoning_effort: Literal["none", "default", "low", "medium", "high"]
    """How much to think; wins over `thinking`."""
    groq_include_reasoning: bool
    """Whether thinking is in the reply, for models that know no `groq_reasoning_format`."""
    groq_service_tier: Literal["auto", "on_demand", "flex", "performance"]
    """How quickly, and at what price, the request is served."""
    groq_user: str
    """Your own id of the person asking."""
    groq_search_settings: JSON
    """Where models that search by themselves may look."""
    groq_compound_custom: JSON
    """What tools of the service a model that has them may use."""


class GroqModel(ChatModel):
    """A model behind Groq's own service."""

    def __init__(
        self,
        model_name: str,
        *,
        provider: str | Provider = "groq",
        api_key: str | None = None,
        base_url: str | None = None,
        http_client: AsyncClient | None = None,
    ) -> None:
        """Settle which model, and where.

        Args:
            model_name: the name that the service knows it by.
            provider: `groq`, or a provider.
            api_key: the key of the service given by name.
            base_url: the address of the service given by name.
            http_client: the client for the service given by name.

        Raises:
            UserError: no such service, no key, or key, address or client beside a provider that has its own.
        """
        options = {"api_key": api_key, "base_url": base_url, "http_client": http_client}
        settled = settle_provider(provider, ("groq",), options)
        super().__init__(model_name, settled, profile_of(SERVICES["groq"].chat, model_name))

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> tuple[ModelResponse, Usage]:
        try:
            return await super().request(messages, model_settings, model_request_parameters)
        except ModelHTTPError as error:
            if not is_refused(error.body):
                raise
            body = to_json(error.body)
        return self._priced(*decode(body, self._reply()))

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AsyncGenerator[StreamedResponse]:
        entered = False
        try:
            async with super().request_stream(messages, model_settings, model_request_parameters) as reply:
                entered = True
                yield reply
                return
        except ModelHTTPError as error:
            if entered or not is_refused(error.body):
                raise
            body = to_json(error.body)
        response, usage = self._priced(*decode(body, self._reply()))
        yield ReplayedResponse(response, messages, self._model_name, usage)

    def _reply(self) -> GroqReply:
        return GroqReply(self._model_name)
