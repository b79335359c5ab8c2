"""Cohere's chat, version 2."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from agentgraph.messages import MediaUrl, ModelMessage, ModelResponse
from agentgraph.model import ModelRequestParameters, StreamedResponse
from agentgraph.models import check_allow_model_requests
from agentgraph.providers import Provider, settle_provider
from agentgraph.providers.clients import AsyncClient
from agentgraph.settings import ModelSettings
from agentgraph.usage import Usage

from .cohere_reply import CohereReply, decode
from .cohere_request import encode
from .cohere_settings import CohereModelSettings
from .http import event_stream, fetch
from .media import may_be_text
from .served import ServedModel
from .streamed import StreamedReply

__all__ = ["CohereModel", "CohereModelSettings"]


PATH = "/v2/chat"


class CohereModel(ServedModel):
    """A model behind Cohere's own protocol."""

    def __init__(
        self,
        model_name: str,
        *,
        provider: str | Provider = "cohere",
        api_key: str | None = None,
        base_url: str | None = None,
        http_client: AsyncClient | None = None,
    ) -> None:
        """Settle which model, and where.

        Args:
            model_name: the name that the service knows it by.
            provider: `cohere`, or a provider.
            api_key: the key of the service given by name.
            base_url: the address of the service given by name.
            http_client: the client for the service given by name.

        Raises:
            UserError: no such service, no key, or key, address or client beside a provider that has its own.
        """
        options = {"api_key": api_key, "base_url": base_url, "http_client": http_client}
        super().__init__(model_name, settle_provider(provider, ("cohere",), options))

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> tuple[ModelResponse, Usage]:
        check_allow_model_requests()
        messages = await self._with_media(messages, model_settings)
        body = encode(self._model_name, messages, model_settings, model_request_parameters, self.system)
        return self._priced(*decode(await fetch(self._call(PATH, body, model_settings)), self._model_name, self.system))

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AsyncGenerator[StreamedResponse]:
        check_allow_model_requests()
        messages = await self._with_media(messages, model_settings)
        body = encode(self._model_name, messages, model_settings, model_request_parameters, self.system)
        async with event_stream(self._call(PATH, {**body, "stream": True}, model_settings)) as stream:
            yield StreamedReply(stream, CohereReply(self._model_name, self.system), self._priced)

    def _needs_bytes(self, item: MediaUrl) -> bool:
        return may_be_text(item)
