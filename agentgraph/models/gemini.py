"""Gemini: `generateContent` and `streamGenerateContent`, at Google AI Studio and on Vertex AI."""

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

from .gemini_content import is_fetched
from .gemini_reply import GeminiReply, decode
from .gemini_request import encode
from .gemini_settings import GeminiModelSettings, GeminiSafetySettings
from .http import event_stream, fetch
from .served import ServedModel
from .streamed import StreamedReply

__all__ = ["GeminiModel", "GeminiModelSettings", "GeminiSafetySettings"]

PROVIDERS = ("google-gla", "google-vertex")


class GeminiModel(ServedModel):
    """A model behind Google's own protocol."""

    def __init__(
        self,
        model_name: str,
        *,
        provider: str | Provider = "google-gla",
        api_key: str | None = None,
        base_url: str | None = None,
        http_client: AsyncClient | None = None,
    ) -> None:
        """Settle which model, and where.

        Args:
            model_name: the name that the service knows it by.
            provider: `google-gla`, `google-vertex`, or a provider.
            api_key: the key for `google-gla`.
            base_url: the address of a service given by name.
            http_client: the client for a service given by name.

        Raises:
            UserError: no such service, no key, or key, address or client beside a provider that has its own.
        """
        options = {"api_key": api_key, "base_url": base_url, "http_client": http_client}
        super().__init__(model_name, settle_provider(provider, PROVIDERS, options))

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> tuple[ModelResponse, Usage]:
        check_allow_model_requests()
        messages = await self._with_media(messages, model_settings)
        body = encode(self._model_name, messages, model_settings, model_request_parameters, self.system)
        answer = await fetch(self._call(self._path("generateContent"), body, model_settings))
        return self._priced(*decode(answer, self._model_name, self.system))

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
        async with event_stream(
            self._call(self._path("streamGenerateContent?alt=sse"), body, model_settings)
        ) as stream:
            yield StreamedReply(stream, GeminiReply(self._model_name, self.system), self._priced)

    def _needs_bytes(self, item: MediaUrl) -> bool:
        return not is_fetched(item, self._model_name, self.system)

    def _path(self, verb: str) -> str:
        # Models that were tuned have a name with a folder of its own.
        name = self._model_name if "/" in self._model_name else f"models/{self._model_name}"
        return f"/{name}:{verb}"
