"""Messages: the protocol of Anthropic."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

from agentgraph.messages import MediaUrl, ModelMessage, ModelResponse
from agentgraph.model import ModelRequestParameters, StreamedResponse
from agentgraph.models import check_allow_model_requests
from agentgraph.providers import Provider, settle_provider
from agentgraph.providers.clients import AsyncClient
from agentgraph.settings import ModelSettings
from agentgraph.usage import Usage

from .anthropic_content import needs_bytes
from .anthropic_reply import MessageReply
from .anthropic_request import encode, streamed
from .anthropic_settings import AnthropicModelSettings, encode_headers
from .anthropic_turns import StreamedTurns, whole_turns
from .http import Call
from .served import ServedModel
from .streamed import StreamedReply
from .wire import as_object

__all__ = ["AnthropicModel", "AnthropicModelSettings"]


class AnthropicModel(ServedModel):
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
        options = {"api_key": api_key, "base_url": base_url, "http_client": http_client}
        super().__init__(model_name, settle_provider(provider, ("anthropic",), options))

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> tuple[ModelResponse, Usage]:
        check_allow_model_requests()
        messages = await self._with_media(messages, model_settings)
        reply = MessageReply(self._model_name)
        ask = partial(self._ask, reply, messages, model_settings, model_request_parameters)
        await whole_turns(reply, partial(ask, stream=False))
        return self._priced(reply.response(), reply.usage())

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AsyncGenerator[StreamedResponse]:
        check_allow_model_requests()
        messages = await self._with_media(messages, model_settings)
        reply = MessageReply(self._model_name)
        ask = partial(self._ask, reply, messages, model_settings, model_request_parameters)
        async with StreamedTurns(reply, partial(ask, stream=True)) as turns:
            yield StreamedReply(turns, reply, self._priced)

    def _needs_bytes(self, item: MediaUrl) -> bool:
        return needs_bytes(item)

    def _ask(
        self,
        reply: MessageReply,
        messages: list[ModelMessage],
        settings: ModelSettings | None,
        parameters: ModelRequestParameters,
        *,
        stream: bool,
    ) -> Call:
        """The request of a reply's next turn."""
        turns = [reply.response()] if reply.paused else []
        body = encode(self._model_name, [*messages, *turns], settings, parameters)
        for turn in turns:  # it goes on where the service's own tools have left their files
            container = as_object((turn.provider_details or {}).get("container")).get("id")
            body = body if container is None else {"container": container, **body}
        call = self._call("/v1/messages", streamed(body) if stream else body, settings)
        return replace(call, headers=encode_headers(settings or {}, body))
