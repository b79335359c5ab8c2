"""A model that is asked only so often."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from agentgraph.clock import Clock, SystemClock
from agentgraph.graph import RateLimit
from agentgraph.messages import ModelMessage, ModelResponse
from agentgraph.model import Model, ModelRequestParameters, StreamedResponse
from agentgraph.settings import ModelSettings
from agentgraph.usage import Usage

from .wrapper import WrapperModel

__all__ = ["RateLimitedModel"]


class RateLimitedModel(WrapperModel):
    """Lets requests wait, in the order in which they come, so that no more than its limit allows begin.

    Args:
        wrapped: the model that is asked.
        rate: how often. All models and nodes of this process that have an equal one share it.
        clock: by which it waits.
    """

    def __init__(self, wrapped: Model | str, rate: RateLimit, *, clock: Clock | None = None) -> None:
        super().__init__(wrapped)
        self.rate = rate
        self._clock = clock or SystemClock()

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> tuple[ModelResponse, Usage]:
        await self.rate.wait(self._clock)
        return await self.wrapped.request(messages, model_settings, model_request_parameters)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AsyncGenerator[StreamedResponse, None]:
        await self.rate.wait(self._clock)
        async with self.wrapped.request_stream(messages, model_settings, model_request_parameters) as response:
            yield response
