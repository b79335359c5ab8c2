"""What an agent's nodes emit about their own work, beside the events that every run has.

A node builds them only if somebody observes the run. Each that ends something names the event that began it: those are
told apart by identity, so that what runs side by side can be followed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from agentgraph.exceptions import ApprovalRequired, CallDeferred, RunWaiting
from agentgraph.messages import ModelMessage, ModelResponse, RetryPromptPart, ToolCallPart, ToolReturnPart
from agentgraph.model import Model, ModelRequestParameters, StreamedResponse
from agentgraph.settings import ModelSettings
from agentgraph.usage import Usage

from .config import AgentContext

__all__ = [
    "AgentEvent",
    "CallEnded",
    "CallStarted",
    "ReplyStarted",
    "RequestEnded",
    "RequestStarted",
    "emitted_call",
    "emitted_request",
    "emitted_stream",
]

Answer = ToolReturnPart | RetryPromptPart


@dataclass(frozen=True, slots=True, eq=False)
class RequestStarted:
    """The model is about to be asked."""

    model: Model
    messages: list[ModelMessage]
    """The conversation, the request last: the run's own list, to be read at once and left as it is."""
    settings: ModelSettings | None
    parameters: ModelRequestParameters


@dataclass(frozen=True, slots=True, eq=False)
class ReplyStarted:
    """The connection of a streamed request is open. Told in the task that told of the request's start."""

    request: RequestStarted


@dataclass(frozen=True, slots=True, eq=False)
class RequestEnded:
    """The model has replied, or not."""

    request: RequestStarted
    reply: ModelResponse | None = None
    """What came, even if the request failed; None: nothing."""
    usage: Usage | None = None
    error: BaseException | None = None
    """What ended the request; a cancellation too."""


@dataclass(frozen=True, slots=True, eq=False)
class CallStarted:
    """A tool is about to be called."""

    part: ToolCallPart
    idempotency_key: str | None = None
    """The same for every attempt of one call, as in `RunContext`."""


@dataclass(frozen=True, slots=True, eq=False)
class CallEnded:
    """A call of a tool has ended. Told in the task that told of its start."""

    call: CallStarted
    answer: Answer | None = None
    error: BaseException | None = None
    """What the tool raised, or a cancellation."""

    @property
    def waits(self) -> bool:
        """Whether the call has only come to a point where the run has to wait for an answer."""
        return isinstance(self.error, ApprovalRequired | CallDeferred | RunWaiting)


AgentEvent: TypeAlias = RequestStarted | ReplyStarted | RequestEnded | CallStarted | CallEnded
"""What the nodes emit."""


async def emitted_request(ctx: AgentContext[Any], request: RequestStarted) -> tuple[ModelResponse, Usage]:
    """Ask the model, and emit that it was asked and what came of it."""
    ctx.emit(request, keep=False)
    try:
        reply, usage = await request.model.request(request.messages, request.settings, request.parameters)
    except BaseException as error:
        ctx.emit(RequestEnded(request, error=error), keep=False)
        raise
    ctx.emit(RequestEnded(request, reply, usage), keep=False)
    return reply, usage


@asynccontextmanager
async def emitted_stream(ctx: AgentContext[Any], request: RequestStarted) -> AsyncGenerator[StreamedResponse]:
    """Ask the model for a stream, and emit that it was asked, that the stream began and how it ended."""
    ctx.emit(request, keep=False)
    response: StreamedResponse | None = None
    try:
        asked = request.model.request_stream(request.messages, request.settings, request.parameters)
        async with asked as response:
            ctx.emit(ReplyStarted(request), keep=False)
            yield response
    except BaseException as error:
        ctx.emit(_end_of(request, response, error), keep=False)
        raise
    ctx.emit(_end_of(request, response, None), keep=False)


def _end_of(request: RequestStarted, response: StreamedResponse | None, error: BaseException | None) -> RequestEnded:
    if response is None:
        return RequestEnded(request, error=error)
    return RequestEnded(request, response.get(), response.usage(), error)


async def emitted_call(ctx: AgentContext[Any], call: CallStarted, work: Callable[[], Awaitable[Answer]]) -> Answer:
    """Do the work of a call, and emit that it began and how it ended."""
    ctx.emit(call, keep=False)
    try:
        answer = await work()
    except BaseException as error:
        ctx.emit(CallEnded(call, error=error), keep=False)
        raise
    ctx.emit(CallEnded(call, answer), keep=False)
    return answer
