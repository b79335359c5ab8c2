"""A model that makes spans of its requests, wherever it is used: in an agent or by itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from agentgraph.agent import RequestEnded, RequestStarted
from agentgraph.messages import ModelMessage, ModelResponse
from agentgraph.model import Model, ModelRequestParameters, StreamedResponse
from agentgraph.models.wrapper import WrapperModel
from agentgraph.settings import ModelSettings
from agentgraph.usage import Usage

from .settings import InstrumentationSettings, default_settings

if TYPE_CHECKING:
    from .requests import RequestSpan

__all__ = ["InstrumentedModel"]


class InstrumentedModel(WrapperModel):
    """Makes a span of each request to `wrapped`; an instrumented agent leaves the spans of its requests to it.

    Args:
        wrapped: the model, or its name.
        options: how; by default as `InstrumentationSettings()`.

    Raises:
        UserError: the model's name is unknown, its key missing, or OpenTelemetry not installed.
    """

    options: InstrumentationSettings

    def __init__(self, wrapped: Model | str, options: InstrumentationSettings | None = None) -> None:
        super().__init__(wrapped)
        self.options = options or default_settings()

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> tuple[ModelResponse, Usage]:
        asked = RequestStarted(self.wrapped, messages, model_settings, model_request_parameters)
        span = self._begin(asked)
        try:
            reply, usage = await super().request(messages, model_settings, model_request_parameters)
        except BaseException as error:
            span.close(RequestEnded(asked, error=error))
            raise
        span.close(RequestEnded(asked, reply, usage))
        return reply, usage

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AsyncGenerator[StreamedResponse]:
        asked = RequestStarted(self.wrapped, messages, model_settings, model_request_parameters)
        span = self._begin(asked)
        response: StreamedResponse | None = None
        error: BaseException | None = None
        try:
            async with super().request_stream(messages, model_settings, model_request_parameters) as response:
                span.leave()  # what the caller does while it reads is not part of the request
                yield response
        except BaseException as raised:
            error = raised
            raise
        finally:
            reply, usage = (response.get(), response.usage()) if response else (None, None)
            span.close(RequestEnded(asked, reply, usage, error))

    def _begin(self, asked: RequestStarted) -> RequestSpan:
        from opentelemetry.context import get_current

        from .requests import RequestSpan

        span = RequestSpan(self.options, asked, get_current())
        span.enter()
        return span
