"""The turn of a node that can be streamed, and a request in its two halves: before and after it is sent."""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Protocol, TypeVar

from agentgraph.context import CallScope
from agentgraph.exceptions import AgentRunError, GraphRuntimeError, RunWaiting
from agentgraph.messages import ModelMessage, ModelRequest, ModelResponse
from agentgraph.model import ModelRequestParameters
from agentgraph.tools import prepare
from agentgraph.usage import Usage

from .answers import tell_requests
from .config import AgentContext, RunConfig, run_context
from .events import RequestStarted, emitted_request
from .instructions import instructed
from .state import FinalResult

__all__ = [
    "Prepared",
    "Turn",
    "begin_request",
    "end_request",
    "failing",
    "one_request",
    "request_reply",
    "tell_failure",
]

T = TypeVar("T")


class _Streamed(Enum):
    NOT = "not"
    BEGUN = "begun"
    FINISHED = "finished"


class OpenReply(Protocol):
    """A reply that is being read."""

    @property
    def response(self) -> ModelResponse:
        """What has come of it."""
        ...

    def so_far(self) -> Usage:
        """What it has used."""
        ...

    def stop(self) -> None:
        """Read no more of it."""
        ...


@dataclass(slots=True)
class Turn:
    """What a stream of a node has done of the node's turn. It lives with the node and is never stored."""

    streamed: _Streamed = _Streamed.NOT
    open: OpenReply | None = None
    """The reply that is being read."""
    reply: ModelResponse | None = None
    outcome: ModelRequest | FinalResult[Any] | None = None

    def partial(self) -> tuple[ModelResponse, Usage] | None:
        """What has come of a reply that will not be read to its end; None if there is no such reply."""
        if self.open is None:
            return None
        self.open.stop()
        if not self.open.response.parts and self.open.so_far() == Usage():
            return None
        return replace(self.open.response, state="interrupted"), self.open.so_far()

    @contextmanager
    def streaming(self) -> Generator[None]:
        """The one stream that a node may have.

        Raises:
            GraphRuntimeError: there was one.
        """
        if self.streamed is not _Streamed.NOT:
            message = "a node is streamed once; iterate over the stream that is open"
            raise GraphRuntimeError(message)
        self.streamed = _Streamed.BEGUN
        yield
        self.streamed = _Streamed.FINISHED

    def take_reply(self) -> ModelResponse | None:
        """What the stream of a request ended with; None if there was no stream."""
        self._check_finished()
        return self.reply

    def take_outcome(self) -> ModelRequest | FinalResult[Any] | None:
        """What the stream of handling a reply ended with; None if there was no stream."""
        self._check_finished()
        return self.outcome

    def _check_finished(self) -> None:
        if self.streamed is _Streamed.BEGUN:
            message = "the node's stream was begun and not finished; leave its block before the node runs"
            raise GraphRuntimeError(message)


@dataclass(slots=True)
class Prepared:
    """A request, ready to be sent. Never changed; not frozen, since each request makes one."""

    messages: list[ModelMessage]
    parameters: ModelRequestParameters

    def event(self, config: RunConfig[Any]) -> RequestStarted:
        """What observers are told when it is sent."""
        return RequestStarted(config.model, self.messages, config.settings, self.parameters)


async def begin_request(ctx: AgentContext[Any], request: ModelRequest) -> Prepared:
    """Add the request to the history, check the limits, prepare the tools.

    Raises:
        UsageLimitExceeded: no more requests are allowed.
    """
    state, config = ctx.state, ctx.deps
    # It is there already at a second try; one without parts asks for a reply to what is there.
    if request.parts and not (state.message_history and state.message_history[-1] is request):
        state.message_history.append(request)
        state.run_step += 1
    config.limits.check_before_request(config.spent(state.usage))
    fixed = config.toolbox.fixed
    if fixed is None:
        functions = await prepare(config.toolbox.tools, run_context(ctx), state.tool_retries)
    else:
        functions = fixed.copy()
    result = config.result
    parameters = ModelRequestParameters(functions, result.takes_text, result.tools, result.format)
    if result.form is None:
        return Prepared(state.message_history, parameters)
    return Prepared(instructed(state.message_history, result.form.instructions), parameters)


def end_request(ctx: AgentContext[Any], reply: ModelResponse, usage: Usage) -> ModelResponse:
    """Count the request and add the reply to the history: plain and streamed requests both end here."""
    ctx.state.usage.incr(usage, requests=1)
    ctx.state.message_history.append(reply)
    return reply


def one_request() -> Usage:
    """What a request counts for that is on its way."""
    return Usage(requests=1)


def request_reply(ctx: AgentContext[Any], prepared: Prepared) -> Awaitable[tuple[ModelResponse, Usage]]:
    """Send the request and wait for the whole reply. No coroutine of its own: runs hold theirs while they wait."""
    config = ctx.deps
    if ctx.outlet.observers:
        asked: Awaitable[tuple[ModelResponse, Usage]] = emitted_request(ctx, prepared.event(config))
    else:
        asked = config.model.request(prepared.messages, config.settings, prepared.parameters)
    return asked if config.scope is None else _counted(config.scope, asked)


async def _counted(scope: CallScope, asked: Awaitable[T]) -> T:
    with scope.counting(one_request):
        return await asked


async def failing(ctx: AgentContext[Any], work: Awaitable[T]) -> T:
    """Await a piece of the run's own work that a stream does for a node: what it raises fails the run."""
    try:
        return await work
    except Exception as error:
        tell_failure(ctx, error)
        raise


def tell_failure(ctx: AgentContext[Any], error: Exception) -> None:
    """Note what the run fails with, and put into it where that was."""
    ctx.failure = error
    if isinstance(error, RunWaiting):
        error.run_id = ctx.run_id
        tell_requests(error)
    if isinstance(error, AgentRunError):
        error.messages = error.messages or tuple(ctx.state.message_history)
