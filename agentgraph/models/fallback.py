"""Several models, asked in order until one answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from agentgraph.exceptions import FallbackExceptionGroup, ModelHTTPError
from agentgraph.messages import ModelMessage, ModelResponse, ModelResponseStreamEvent
from agentgraph.model import Model, ModelRequestParameters, StreamedResponse
from agentgraph.settings import ModelSettings
from agentgraph.usage import Usage

from .infer import infer_model

__all__ = ["FallbackModel"]


class FallbackModel(Model):
    """Asks the models in order and takes the first reply.

    A stream falls over to the next model only as long as it has brought no event: what was handed out stays true.

    Args:
        default_model: The model, or its name, to ask first.
        fallback_models: Those to ask next.
        fallback_on: The exceptions for which the next model is asked, as types or as a function that tells; every
            other exception is raised as it is.

    Raises:
        FallbackExceptionGroup: by the requests, if every model failed; holds one exception a model.
    """

    def __init__(
        self,
        default_model: Model | str,
        *fallback_models: Model | str,
        fallback_on: Callable[[Exception], bool] | tuple[type[Exception], ...] = (ModelHTTPError,),
    ) -> None:
        self.models: tuple[Model, ...] = tuple(infer_model(model) for model in (default_model, *fallback_models))
        self._fallback_on = fallback_on if callable(fallback_on) else _is_one_of(fallback_on)

    @property
    def model_name(self) -> str:
        return f"fallback:{','.join(model.model_name for model in self.models)}"

    @property
    def system(self) -> str:
        return f"fallback:{','.join(model.system for model in self.models)}"

    @property
    def base_url(self) -> str | None:
        return self.models[0].base_url

    def price_problem(self) -> str | None:
        problems = (model.price_problem() for model in self.models)
        return next((problem for problem in problems if problem is not None), None)

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> tuple[ModelResponse, Usage]:
        failures: list[Exception] = []
        for model in self.models:
            try:
                return await model.request(messages, model_settings, model_request_parameters)
            except Exception as error:
                if not self._fallback_on(error):
                    raise
                failures.append(error)
        raise self._all_failed(failures)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AsyncGenerator[StreamedResponse, None]:
        failures: list[Exception] = []
        for model in self.models:
            try:
                begun = await _begin(model, messages, model_settings, model_request_parameters)
            except Exception as error:
                if not self._fallback_on(error):
                    raise
                failures.append(error)
                continue
            # Outside the try: what fails from here on fails the run, whoever raised it.
            async with begun.open:
                yield begun.response
            return
        raise self._all_failed(failures)

    def _all_failed(self, failures: list[Exception]) -> FallbackExceptionGroup:
        return FallbackExceptionGroup(f"every model of {self.model_name} failed", failures)


def _is_one_of(types: tuple[type[Exception], ...]) -> Callable[[Exception], bool]:
    return lambda error: isinstance(error, types)


@dataclass(frozen=True, slots=True)
class _Begun:
    open: AsyncExitStack
    """Closes the connection."""
    response: _BegunResponse


async def _begin(
    model: Model,
    messages: list[ModelMessage],
    model_settings: ModelSettings | None,
    model_request_parameters: ModelRequestParameters,
) -> _Begun:
    """Wait for the stream's first event; if there is none but an error, nothing is left open."""
    async with AsyncExitStack() as stack:
        response = await stack.enter_async_context(
            model.request_stream(messages, model_settings, model_request_parameters)
        )
        events = aiter(response)
        first = await anext(events, None)
        return _Begun(stack.pop_all(), _BegunResponse(response, events, first))


class _BegunResponse(StreamedResponse):
    """A stream whose first event was read already."""

    def __init__(
        self,
        response: StreamedResponse,
        events: AsyncIterator[ModelResponseStreamEvent],
        first: ModelResponseStreamEvent | None,
    ) -> None:
        self._response = response
        self._events = events
        self._first = first

    def __aiter__(self) -> _BegunResponse:
        return self

    async def __anext__(self) -> ModelResponseStreamEvent:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return await anext(self._events)

    def get(self) -> ModelResponse:
        return self._response.get()

    def usage(self) -> Usage:
        return self._response.usage()

    @property
    def model_name(self) -> str:
        return self._response.model_name

    @property
    def timestamp(self) -> datetime:
        return self._response.timestamp
