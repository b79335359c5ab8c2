"""Chat Completions, the protocol of OpenAI that most other services speak as well, each in its dialect."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from agentgraph.messages import MediaUrl, ModelMessage, ModelResponse
from agentgraph.model import ModelRequestParameters, StreamedResponse
from agentgraph.models import check_allow_model_requests
from agentgraph.providers import Provider
from agentgraph.providers.openai import OpenAIProvider
from agentgraph.providers.services import SERVICES, ChatProfile
from agentgraph.settings import ModelSettings
from agentgraph.usage import Usage

from .http import Call, event_stream, fetch
from .openai_content import needs_bytes
from .openai_reply import ChatReply, decode
from .openai_request import encode, streamed
from .openai_settings import profile_of
from .served import ServedModel
from .streamed import StreamedReply

__all__ = ["ChatModel", "dialect"]

PATH = "/chat/completions"


class ChatModel(ServedModel):
    """A model that is asked by chat completions."""

    def __init__(self, model_name: str, provider: Provider, profile: ChatProfile) -> None:
        super().__init__(model_name, provider)
        self._profile = profile

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
        call = await self._asking(messages, model_settings, model_request_parameters, stream=False)
        return self._priced(*decode(await fetch(call), self._reply()))

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AsyncGenerator[StreamedResponse]:
        check_allow_model_requests()
        call = await self._asking(messages, model_settings, model_request_parameters, stream=True)
        async with event_stream(call) as stream:
            yield StreamedReply(stream, self._reply(), self._priced)

    async def _asking(
        self,
        messages: list[ModelMessage],
        settings: ModelSettings | None,
        parameters: ModelRequestParameters,
        *,
        stream: bool,
    ) -> Call:
        messages = await self._with_media(messages, settings)
        body = encode(self._model_name, messages, settings, parameters, self._profile)
        return self._call(PATH, streamed(body, self._profile) if stream else body, settings)

    def _needs_bytes(self, item: MediaUrl) -> bool:
        return needs_bytes(item, self._profile)

    def _reply(self) -> ChatReply:
        return ChatReply(self._model_name)


def dialect(provider: Provider, model_name: str) -> ChatProfile:
    """How a provider wants requests to one of its models to look; one that does not tell: as OpenAI does."""
    profile = provider.profile if isinstance(provider, OpenAIProvider) else SERVICES["openai"].chat
    return profile_of(profile, model_name)
