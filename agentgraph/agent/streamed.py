"""A run whose replies are read while they come. It is stepped by whoever reads: nothing runs between two reads.

A reply is open while it comes. When it has ended, its node takes its turn and the reply is handled: that decides
whether it was the final one. If it was not, the next reply is opened, and reading goes on there.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing, suppress
from datetime import datetime
from types import TracebackType
from typing import Any, Generic, Self, cast

from typing_extensions import TypeIs, TypeVar

from agentgraph.exceptions import AgentRunError, RunCancelled, UserError
from agentgraph.graph import End
from agentgraph.messages import (
    AgentStreamEvent,
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ToolCallPart,
)
from agentgraph.result import Rejected, validate
from agentgraph.usage import Usage

from .block import Block
from .config import run_context
from .nodes import ModelRequestNode
from .pacing import Pace
from .reading import read_result, reply_text
from .result import RunMessages
from .run import AgentNode, AgentRun
from .state import AgentState, FinalResult
from .streaming import AgentStream

__all__ = ["StreamedRunResult"]

DepsT = TypeVar("DepsT", default=None)
ResultT = TypeVar("ResultT", default=str)


class StreamedRunResult(RunMessages, Generic[DepsT, ResultT]):
    """The result of a run while it comes. Each way of reading goes on where the last one stopped."""

    def __init__(self, run: AgentRun[DepsT, ResultT], block: Block) -> None:
        self._run, self._block = run, block
        block.heed(run)
        self._stack = AsyncExitStack()
        self._reply: AgentStream[DepsT, ResultT] | None = None
        self._stopped = False

    async def __aenter__(self) -> Self:
        async with self._stack:  # closes what was opened, if opening fails
            await self._open_reply()
            self._stack = self._stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            await self._stack.__aexit__(kind, error, traceback)
            return
        if self._stopped:
            await self._give_up()
            return
        async with self._stack:
            if self._reply is not None:  # else the run has ended, or failed where the caller has seen it
                await self.get_data()

    @property
    def run_id(self) -> str:
        """The id by which the run can be resumed."""
        return self._run.run_id

    @property
    def is_complete(self) -> bool:
        """Whether the run has ended."""
        return self._run.result is not None

    def usage(self) -> Usage:
        """What the run used so far, with what the open reply has told."""
        return self._run.usage() if self._reply is None else self._reply.usage()

    def timestamp(self) -> datetime:
        """When the newest reply was made."""
        return self._response().timestamp

    async def stream(self, *, debounce_by: float | None = 0.1) -> AsyncGenerator[ResultT]:
        """The result: partial, as far as it can be read, until the last one, which is the run's.

        At most one every `debounce_by` seconds; None: one for each piece that comes.
        """
        self._check_going()
        while (reply := self._reply) is not None:
            async with aclosing(reply.stream_partial_output(debounce_by=debounce_by)) as results:
                async for result in results:
                    yield result
            await self._close_reply()
        yield await self.get_data()

    async def stream_text(self, *, delta: bool = False, debounce_by: float | None = 0.1) -> AsyncGenerator[str]:
        """The text of the open reply so far, or with `delta` what came since; the next reply starts anew.

        At most one every `debounce_by` seconds; None: one for each piece that comes.

        Raises:
            UserError: text is no possible result of this run.
        """
        if not self._run.ctx.deps.result.allow_text:
            message = "text is no possible result of this run; use `stream` or `stream_structured`"
            raise UserError(message)
        self._check_going()
        if self._run.result is not None:
            yield reply_text(self._response())
        while (reply := self._reply) is not None:
            text, pace = _Text(), Pace(debounce_by, self._run.ctx.clock.monotonic)
            async for event in reply:
                if text.hear(event) and pace.due():
                    yield text.take() if delta else text.whole()
            if pace.held:
                yield text.take() if delta else text.whole()
            await self._close_reply()

    async def stream_structured(self, *, debounce_by: float | None = 0.1) -> AsyncGenerator[tuple[ModelResponse, bool]]:
        """The open reply so far, and whether it is the last: once, for the final reply.

        At most one every `debounce_by` seconds; None: one for each piece that comes.
        """
        self._check_going()
        while (reply := self._reply) is not None:
            async with aclosing(reply.stream_responses(debounce_by=debounce_by)) as responses:
                async for response in responses:
                    yield response, False
            await self._close_reply()
        yield self._response(), True

    async def get_data(self) -> ResultT:
        """Read what is left and return what `run` would have returned.

        Raises:
            RunCancelled: the run was cancelled by `cancel`.
            AgentRunError, Exception: what `run` would have raised.
        """
        while self._reply is not None:
            async for _ in self._reply:
                pass
            await self._close_reply()
        self._check_going()
        result = self._run.result
        if result is None:
            message = f"run {self.run_id!r} has no result: it failed, or was interrupted"
            raise AgentRunError(message)
        return result.data

    async def cancel(self) -> None:
        """Stop: close the provider's stream at once, keep what has come, cancel the run. It can be resumed.

        Called from another task, it has the block left, wherever that stands, as a cancel scope around it would; what
        comes after the block goes on. To read on after a cancel is `RunCancelled`.
        """
        if self.is_complete or self._stopped:
            return
        self._stopped = True
        if self._block.inside:
            await self._give_up()
        else:
            await self._block.end()

    async def validate_structured_result(self, message: ModelResponse, *, allow_partial: bool = False) -> ResultT:
        """The result in a reply that `stream_structured` gave; with `allow_partial`, as far as it is there.

        Raises:
            ValidationError: it does not fit (pydantic's).
            UserError: there is none in it, or a result validator refuses it.
        """
        ctx = self._run.ctx
        result = ctx.deps.result
        found = read_result(result, message, partial=allow_partial)
        if found is None:
            text = "the message holds no result"
            raise UserError(text)
        if not allow_partial:
            calls = [part for part in message.parts if isinstance(part, ToolCallPart)]
            call = next((part for part in calls if part.tool_name in result.tool_names), None)
            here = run_context(ctx).replace_with(retry=ctx.state.retries)
            verdict = await validate(ctx.deps.validators, found.value, call, here)
            if isinstance(verdict, Rejected):
                raise UserError(verdict.prompt.model_response())
            found = verdict
        return cast("ResultT", found.value)  # the run's schema reads the run's result type

    def _run_state(self) -> AgentState:
        return self._run.ctx.state

    def _final(self) -> FinalResult[Any] | None:
        node = self._run.next_node
        return node.data if isinstance(node, End) else None

    def _response(self) -> ModelResponse:
        if self._reply is not None:
            return self._reply.response
        replies = [message for message in self._run_state().message_history if isinstance(message, ModelResponse)]
        return replies[-1]

    async def _open_reply(self) -> None:
        """Go on to the next reply that shows something to read; those that only call function tools are handled."""
        while not isinstance(node := self._run.next_node, End):
            await self._run.heed_breakpoint()
            if not _asks_model(node):
                await self._run.next()
                continue
            reply = self._reply = await self._stack.enter_async_context(node.stream(self._run.ctx))
            seen = list[AgentStreamEvent]()
            async for event in reply:
                seen.append(event)
                if self._shows(event):
                    reply.unread(seen)
                    return
            await self._end_reply()

    async def _close_reply(self) -> None:
        """Handle the reply that has ended, and open the next one if it was not the last."""
        await self._end_reply()
        await self._open_reply()

    async def _give_up(self) -> None:
        self._reply = None
        with suppress(RunCancelled):
            await self._stack.__aexit__(RunCancelled, RunCancelled(self.run_id), None)
        await self._run.cancel()

    def _check_going(self) -> None:
        if self._stopped and not self.is_complete:
            raise RunCancelled(self.run_id)

    async def _end_reply(self) -> None:
        self._check_going()
        self._reply = None
        await self._stack.aclose()
        await self._run.next()
        await self._run.heed_breakpoint()
        await self._run.next()

    def _shows(self, event: AgentStreamEvent) -> bool:
        match event:
            case PartStartEvent(part=TextPart()):
                return True
            case PartStartEvent(part=ToolCallPart() as call):
                return call.tool_name in self._run.ctx.deps.result.tool_names
            case _:
                return False


def _asks_model(node: AgentNode[DepsT, ResultT]) -> TypeIs[ModelRequestNode[DepsT, ResultT]]:
    return isinstance(node, ModelRequestNode)


class _Text:
    """The text of one reply, collected from its events: parts are joined by a blank line."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._whole = ""
        self._part: int | None = None

    def hear(self, event: AgentStreamEvent) -> bool:
        """Take in what the event says, if it is text: whether it is."""
        # For each word that a model says: `match` would take twice as long.
        if isinstance(event, PartDeltaEvent):
            text = event.delta.content_delta if isinstance(event.delta, TextPartDelta) else ""
        elif isinstance(event, PartStartEvent):
            text = event.part.content if isinstance(event.part, TextPart) else ""
        else:
            return False
        if not text:
            return False
        if event.index != self._part:
            text = text if self._part is None else f"\n\n{text}"
            self._part = event.index
        self._pieces.append(text)
        return True

    def take(self) -> str:
        """The text since it was last read."""
        taken = "".join(self._pieces)
        self._pieces.clear()
        return taken

    def whole(self) -> str:
        """All text so far."""
        self._whole += self.take()
        return self._whole
