"""Converse and ConverseStream: the protocol of Bedrock for all of its models."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import quote

from agentgraph.messages import MediaUrl, ModelMessage, ModelResponse
from agentgraph.model import ModelRequestParameters, StreamedResponse
from agentgraph.models import check_allow_model_requests
from agentgraph.providers import Provider, settle_provider
from agentgraph.providers.clients import AsyncClient
from agentgraph.settings import ModelSettings
from agentgraph.usage import Usage

from .bedrock_frames import FRAMES
from .bedrock_reply import ConverseReply, decode
from .bedrock_request import encode
from .bedrock_settings import BedrockModelSettings
from .http import event_stream, fetch
from .served import ServedModel
from .streamed import StreamedReply

__all__ = ["BedrockConverseModel", "BedrockModelSettings"]


class BedrockConverseModel(ServedModel):
    """A model of any maker on Bedrock."""

    def __init__(
        self,
        model_name: str,
        *,
        provider: str | Provider = "bedrock",
        api_key: str | None = None,
        base_url: str | None = None,
        http_client: AsyncClient | None = None,
    ) -> None:
        """Settle which model, and where.

        Args:
            model_name: the id or ARN of a model, an inference profile or a prompt.
            provider: `bedrock`, with account and region from the environment; or a provider.
            api_key: a key of Bedrock itself, where the provider is given by name.
            base_url: the address, where the provider is given by name.
            http_client: the client, where the provider is given by name.

        Raises:
            UserError: no such provider, no region, or key, address or client beside a provider that has its own.
        """
        options = {"api_key": api_key, "base_url": base_url, "http_client": http_client}
        super().__init__(model_name, settle_provider(provider, ("bedrock",), options))

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> tuple[ModelResponse, Usage]:
        check_allow_model_requests()
        messages = await self._with_media(messages, model_settings)
        body = encode(self._model_name, messages, model_settings, model_request_parameters)
        return self._priced(
            *decode(await fetch(self._call(self._path("converse"), body, model_settings)), self._model_name)
        )

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AsyncGenerator[StreamedResponse]:
        check_allow_model_requests()
        messages = await self._with_media(messages, model_settings)
        body = encode(self._model_name, messages, model_settings, model_request_parameters)
        async with event_stream(self._call(self._path("converse-stream"), body, model_settings), FRAMES) as stream:
            yield StreamedReply(stream, ConverseReply(self._model_name), self._priced)

    def _needs_bytes(self, item: MediaUrl) -> bool:
        return True  # it fetches from S3 alone

    def _path(self, verb: str) -> str:
        return f"/model/{quote(self._model_name, safe='')}/{verb}"
