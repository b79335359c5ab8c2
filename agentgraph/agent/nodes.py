"""The agent graph: the user's prompt becomes a request, a request a reply, a reply the next request or the end.

    UserPromptNode -> ModelRequestNode -> HandleResponseNode -> End
                            ^                     |
                            +---------------------+

A node that can be streamed does the same work either way. Its stream leaves behind what it did, and the node's turn
takes that up instead of doing it again: there is one path, with a window in it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Generic

from typing_extensions import TypeVar

from agentgraph.graph import BaseNode, End
from agentgraph.messages import (
    HandleResponseEvent,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    UserContent,
    UserPromptPart,
)

from .calls import Tell
from .config import AgentContext, RunConfig, run_context
from .handling import handle
from .state import AgentState, FinalResult
from .streaming import AgentStream, open_stream
from .telling import told
from .turns import Turn, begin_request, end_request, failing, request_reply

__all__ = ["HandleResponseNode", "ModelRequestNode", "UserPromptNode"]

DepsT = TypeVar("DepsT", default=None, contravariant=True)
ResultT = TypeVar("ResultT", default=str, covariant=True)


@dataclass
class UserPromptNode(BaseNode[AgentState, RunConfig[DepsT], FinalResult[ResultT]], Generic[DepsT, ResultT]):
    """Begins the run: puts the system prompts before the user's and makes the first request."""

    user_prompt: str | Sequence[UserContent]

    async def run(self, ctx: AgentContext[DepsT]) -> ModelRequestNode[DepsT, ResultT]:
        """Make the first request."""
        state, prompts = ctx.state, ctx.deps.prompts
        begun = not state.message_history
        parts: list[ModelRequestPart] = [*prompts.fixed()] if begun else []
        if prompts.functions:
            here = run_context(ctx).replace_with(prompt=self.user_prompt)
            if begun:
                parts += await prompts.asked(here)
            else:
                for index, message in await prompts.refreshed(state.message_history, here):
                    state.message_history[index] = message
        state.new_from = len(state.message_history)
        parts.append(UserPromptPart(self.user_prompt))
        return ModelRequestNode(ModelRequest(parts))


@dataclass
class ModelRequestNode(BaseNode[AgentState, RunConfig[DepsT], FinalResult[ResultT]], Generic[DepsT, ResultT]):
    """Sends a request to the model. Its step holds the request, the reply and the usage."""

    request: ModelRequest
    _turn: Turn | None = field(default=None, init=False, repr=False, compare=False)
    """What streams of it have done; None: there was none."""

    async def run(self, ctx: AgentContext[DepsT]) -> HandleResponseNode[DepsT, ResultT]:
        """Ask the model, unless a stream of this node did already.

        Raises:
            GraphRuntimeError: a stream of this node was begun and not finished.
            UsageLimitExceeded: no more requests are allowed.
            AgentRunError: what the model raises.
        """
        reply = None if self._turn is None else self._turn.take_reply()
        if reply is None:
            reply, usage = await request_reply(ctx, await begin_request(ctx, self.request))
            end_request(ctx, reply, usage)
        return HandleResponseNode(reply)

    def interrupted(
        self, ctx: AgentContext[DepsT]
    ) -> ModelRequestNode[DepsT, ResultT] | HandleResponseNode[DepsT, ResultT] | None:
        """Keep the request and what has come of the reply: it was paid. One that is not whole is asked for again.

        A request that has brought nothing is kept where it was cancelled: a next turn goes on from it.
        """
        turn, history = self._turn, ctx.state.message_history
        if turn is not None and turn.reply is not None:
            return HandleResponseNode(turn.reply)
        partial = None if turn is None else turn.partial()
        if partial is not None:
            end_request(ctx, *partial)
        elif ctx.failure is not None or not history or history[-1] is not self.request:
            return None
        return ModelRequestNode(ModelRequest([]))

    @asynccontextmanager
    async def stream(self, ctx: AgentContext[DepsT]) -> AsyncGenerator[AgentStream[DepsT, ResultT]]:
        """Ask the model and hand out its reply as it comes; leaving the block reads the rest.

        Raises:
            GraphRuntimeError: the node was streamed before.
            UsageLimitExceeded, AgentRunError: as `run`.
        """
        turn = self._turn = self._turn or Turn()
        with turn.streaming():
            prepared = await failing(ctx, begin_request(ctx, self.request))
            async with open_stream(ctx, prepared) as stream:
                turn.open = stream
                yield stream
            if not stream.stopped:
                turn.reply = stream.finish()


@dataclass
class HandleResponseNode(BaseNode[AgentState, RunConfig[DepsT], FinalResult[ResultT]], Generic[DepsT, ResultT]):
    """Handles a reply: takes the result, or runs the tools and makes the next request."""

    model_response: ModelResponse
    _turn: Turn | None = field(default=None, init=False, repr=False, compare=False)
    """What streams of it have done; None: there was none."""

    async def run(self, ctx: AgentContext[DepsT]) -> ModelRequestNode[DepsT, ResultT] | End[FinalResult[ResultT]]:
        """Handle the reply, unless a stream of this node did already.

        Raises:
            GraphRuntimeError: a stream of this node was begun and not finished.
            UnexpectedModelBehavior, UsageLimitExceeded: see `handle`.
            Exception: what a tool or validator raises.
        """
        outcome = None if self._turn is None else self._turn.take_outcome()
        if outcome is None:
            outcome = await handle(ctx, self.model_response)
        return ModelRequestNode(outcome) if isinstance(outcome, ModelRequest) else End(outcome)

    @asynccontextmanager
    async def stream(self, ctx: AgentContext[DepsT]) -> AsyncGenerator[AsyncIterator[HandleResponseEvent]]:
        """Handle the reply and hand out what happens to its tool calls; leaving the block waits for the rest.

        Raises:
            GraphRuntimeError: the node was streamed before.
            UnexpectedModelBehavior, UsageLimitExceeded, Exception: as `run`.
        """
        turn = self._turn = self._turn or Turn()
        with turn.streaming():

            async def work(tell: Tell) -> ModelRequest | FinalResult[Any]:
                return await failing(ctx, self._handle(ctx, tell))

            async with told(work) as telling:
                yield telling.events
            turn.outcome = telling.outcome

    async def _handle(self, ctx: AgentContext[DepsT], tell: Tell) -> ModelRequest | FinalResult[Any]:
        with ctx.interruptible():
            return await handle(ctx, self.model_response, tell)
