"""A reply of the model while it comes."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from typing import Any, Generic, cast

from typing_extensions import TypeVar

from agentgraph.exceptions import RunCancelled
from agentgraph.messages import (
    AgentStreamEvent,
    FinalResultEvent,
    ModelResponse,
    ModelResponseStreamEvent,
    PartStartEvent,
    TextPart,
    ToolCallPart,
)
from agentgraph.model import StreamedResponse
from agentgraph.usage import Usage

from .config import AgentContext
from .events import emitted_stream
from .pacing import Pace
from .reading import Reading, read_result
from .saying import Saying
from .turns import Prepared, end_request, failing, one_request, tell_failure

__all__ = ["AgentStream", "open_stream"]

DepsT = TypeVar("DepsT", default=None, covariant=True)
ResultT = TypeVar("ResultT", default=str, covariant=True)


class AgentStream(Generic[DepsT, ResultT]):
    """The events of one reply. They are read once; a second loop goes on where the first one stopped."""

    def __init__(self, ctx: AgentContext[DepsT], response: StreamedResponse) -> None:
        self._ctx, self._response = ctx, response
        self._pull = aiter(response).__anext__
        self._ready = deque[AgentStreamEvent]()
        self._saying = Saying(ctx)
        self._reading: Reading | None = None
        limits = ctx.deps.limits
        self._limited = limits.has_token_limits() or limits.cost_limit is not None
        self._hinted = self._finished = False
        self.stopped = False
        """Whether the run has given the reply up as it is: cancelled, or failed, before it was whole."""
        self._error: Exception | None = None

    def __aiter__(self) -> AsyncIterator[AgentStreamEvent]:
        return self

    async def __anext__(self) -> AgentStreamEvent:
        """The next event.

        Raises:
            UsageLimitExceeded: the reply used more tokens than the run may.
            RunCancelled: the run was cancelled, or failed, while the reply came.
            AgentRunError: the reply broke off.
        """
        if self.stopped or self._error is not None:
            self._refuse()
        if self._ready:
            return self._ready.popleft()
        try:
            # Inside `run_stream` it is the block that is interrupted.
            event = await self._pull() if self._ctx.interruption.idle else await self._interruptibly()
            if self._limited:
                self._check_limits()
        except StopAsyncIteration:
            raise
        except Exception as error:
            self._error = error
            tell_failure(self._ctx, error)
            raise
        # What follows is done for each word that the model says, so that little is done.
        self._saying.hear(event)
        if self._reading is not None:
            self._reading.hear(event)
        if not self._hinted:
            self._hint(event)
        return event

    def unread(self, events: Sequence[AgentStreamEvent]) -> None:
        """Put events back that were read, to be read again."""
        self._ready.extendleft(reversed(events))

    @property
    def response(self) -> ModelResponse:
        """The reply so far."""
        return self._response.get()

    def so_far(self) -> Usage:
        """What this reply has used."""
        return self._response.usage()

    def stop(self) -> None:
        """Read no more."""
        self.stopped = True

    def usage(self) -> Usage:
        """The usage of the run so far, with what this reply has used."""
        used = self._ctx.state.usage
        return used if self._finished or self.stopped else used + Usage(requests=1) + self._response.usage()

    async def stream_responses(self, *, debounce_by: float | None = 0.1) -> AsyncGenerator[ModelResponse]:
        """The reply so far, again and again until it is whole; at most every `debounce_by` seconds, None: each time."""
        pace = Pace(debounce_by, self._ctx.clock.monotonic)
        async for event in self:
            if not isinstance(event, FinalResultEvent) and pace.due():
                yield self._response.get()
        if pace.held:
            yield self._response.get()

    async def stream_output(self, *, debounce_by: float | None = 0.1) -> AsyncGenerator[ResultT]:
        """The result as far as it can be read from what has come; the last one is read from the whole reply.

        Result validators are not called: they see the result once, when the reply is handled.

        Raises:
            ValidationError: the result that the whole reply holds does not fit (pydantic's).
            ModelRetry: a validator of the result's type refuses them.
        """
        async with aclosing(self.stream_partial_output(debounce_by=debounce_by)) as results:
            async for result in results:
                yield result
        found = read_result(self._ctx.deps.result, self._response.get(), partial=False)
        if found is not None:
            yield cast("ResultT", found.value)  # the run's schema reads the run's result type

    async def stream_partial_output(self, *, debounce_by: float | None = 0.1) -> AsyncGenerator[ResultT]:
        """As `stream_output`, without the last one: only what could be read while the reply came.

        Parts of a result that had ended when an earlier one was read are the same objects in both.
        """
        reading = self._reading = Reading(self._ctx.deps.result, self._response.get())
        pace = Pace(debounce_by, self._ctx.clock.monotonic)
        async for event in self:
            found = None
            if not isinstance(event, FinalResultEvent) and pace.due():
                found = reading.read(self._response.get)
            if found is not None:
                yield cast("ResultT", found.value)  # as above
        found = reading.read(self._response.get) if pace.held else None
        if found is not None:
            yield cast("ResultT", found.value)  # as above

    def finish(self) -> ModelResponse:
        """Count the request and take the reply, which has been read to its end, into the history."""
        self._finished = True
        return end_request(self._ctx, self._response.get(), self._response.usage())

    def _refuse(self) -> None:
        if self.stopped or self._error is None:
            raise RunCancelled(self._ctx.run_id)
        tell_failure(self._ctx, self._error)  # a reply that broke off is never taken for a whole one
        raise self._error

    async def _interruptibly(self) -> ModelResponseStreamEvent:
        with self._ctx.interruptible():
            return await self._pull()

    def _check_limits(self) -> None:
        used, limits = self._ctx.deps.spent(self.usage()), self._ctx.deps.limits
        limits.check_tokens(used)
        limits.check_cost(used)

    def _hint(self, event: ModelResponseStreamEvent) -> None:
        """Have the event followed by a hint if it starts what could be the result; the first such event alone."""
        result = self._ctx.deps.result
        match event:
            case PartStartEvent(part=TextPart()) if result.takes_text:
                hint = FinalResultEvent(None, None)
            case PartStartEvent(part=ToolCallPart() as call) if call.tool_name in result.tool_names:
                hint = FinalResultEvent(call.tool_name, call.tool_call_id)
            case _:
                return
        self._ready.append(hint)
        self._hinted = True


@asynccontextmanager
async def open_stream(ctx: AgentContext[Any], prepared: Prepared) -> AsyncGenerator[AgentStream[Any, Any]]:
    """Send a request and hand out its reply; leaving the block reads what is left of it."""
    config = ctx.deps
    asked: AbstractAsyncContextManager[StreamedResponse]
    if ctx.outlet.observers:
        asked = emitted_stream(ctx, prepared.event(config))
    else:
        asked = config.model.request_stream(prepared.messages, config.settings, prepared.parameters)
    async with AsyncExitStack() as stack:
        stack.enter_context(config.counting(one_request))
        stream = AgentStream[Any, Any](ctx, await failing(ctx, stack.enter_async_context(asked)))
        yield stream
        await _read_rest(stream)


async def _read_rest(stream: AgentStream[Any, Any]) -> None:
    if not stream.stopped:
        async for _ in stream:
            pass
