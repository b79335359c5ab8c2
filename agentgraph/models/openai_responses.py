"""OpenAI's Responses, the protocol of its newest models."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

from agentgraph.messages import ModelMessage, ModelResponse
from agentgraph.model import ModelRequestParameters, StreamedResponse
from agentgraph.models import check_allow_model_requests
from agentgraph.providers import Provider, settle_provider
from agentgraph.providers.clients import AsyncClient
from agentgraph.providers.services import SERVICES, SystemRole
from agentgraph.settings import ModelSettings
from agentgraph.usage import Usage

from .chat import dialect
from .http import event_stream, fetch
from .openai_responses_reply import ResponsesReply, decode
from .openai_responses_request import ResponsesDialect, encode
from .openai_responses_settings import OpenAIResponsesModelSettings
from .served import ServedModel
from .streamed import StreamedReply

__all__ = ["OpenAIResponsesModel", "OpenAIResponsesModelSettings"]

PATH = "/responses"


class OpenAIResponsesModel(ServedModel):
    """A model behind OpenAI's Responses, at OpenAI or at another service that has them."""

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
        options = {"api_key": api_key, "base_url": base_url, "http_client": http_client}
        settled = settle_provider(provider, ("azure", *SERVICES), options)
        super().__init__(model_name, settled)
        profile = dialect(settled, model_name)
        profile = profile if system_prompt_role is None else replace(profile, system_role=system_prompt_role)
        self._dialect = ResponsesDialect(self.system, profile)

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> tuple[ModelResponse, Usage]:
        check_allow_model_requests()
        messages = await self._with_media(messages, model_settings)
        body = encode(self._model_name, messages, model_settings, model_request_parameters, self._dialect)
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
        body = encode(self._model_name, messages, model_settings, model_request_parameters, self._dialect)
        async with event_stream(self._call(PATH, {**body, "stream": True}, model_settings)) as stream:
            yield StreamedReply(stream, ResponsesReply(self._model_name, self.system), self._priced)
