"""A model around a model: what is built on it overrides only what it changes."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

from agentgraph.messages import ModelMessage, ModelResponse
from agentgraph.model import Model, ModelRequestParameters, StreamedResponse
from agentgraph.settings import ModelSettings
from agentgraph.usage import Usage

from .infer import infer_model

__all__ = ["WrapperModel"]


class WrapperModel(Model):
    """Hands everything on to `wrapped`, attributes that it does not know included."""

    wrapped: Model

    def __init__(self, wrapped: Model | str) -> None:
        self.wrapped = infer_model(wrapped)

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> tuple[ModelResponse, Usage]:
        return await self.wrapped.request(messages, model_settings, model_request_parameters)

    def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AbstractAsyncContextManager[StreamedResponse]:
        return self.wrapped.request_stream(messages, model_settings, model_request_parameters)

    @property
    def model_name(self) -> str:
        return self.wrapped.model_name

    @property
    def system(self) -> str:
        return self.wrapped.system

    @property
    def base_url(self) -> str | None:
        return self.wrapped.base_url

    def price_problem(self) -> str | None:
        return self.wrapped.price_problem()

    def __getattr__(self, name: str) -> Any:  # Any: whatever the wrapped model has
        if name == "wrapped":  # asked for by copy and pickle before there is any
            raise AttributeError(name)
        return getattr(self.wrapped, name)
