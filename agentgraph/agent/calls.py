"""Runs the function tools that a reply calls, side by side and journaled: a call that has ended is not made again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from agentgraph.context import CallScope
from agentgraph.exceptions import ApprovalRequired, CallDeferred, RunWaiting, UserError
from agentgraph.graph import Once
from agentgraph.messages import (
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    HandleResponseEvent,
    RetryPromptPart,
    ToolCallPart,
    ToolReturnPart,
)
from agentgraph.tools import run_call
from agentgraph.usage import Usage

from .answers import ToolApproved, ToolDenied, ToolValue, about, read_answer
from .config import AgentContext, run_context
from .decide import Call
from .events import emitted_call

__all__ = ["Answer", "Tell", "run_calls"]

Answer = ToolReturnPart | RetryPromptPart
"""What a call is answered with."""

Tell = Callable[[HandleResponseEvent], None]
Finished = Callable[[int, Answer], None]


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """What the journal keeps of a call."""

    part: Annotated[Answer, Field(discriminator="part_kind")]
    usage: Usage | None = None
    """What the call added to the run's usage, by agents that it ran."""


async def run_calls(ctx: AgentContext[Any], calls: Sequence[Call], tell: Tell) -> dict[int, Answer]:
    """The answers to `calls`, by position. What the calls used is added to the run's usage.

    Raises:
        Exception: whatever a tool raises but `ModelRetry`; the calls that had ended are journaled.
    """
    if not calls:
        return {}
    events = {call.position: FunctionToolCallEvent(call.part) for call in calls}
    for event in events.values():
        tell(event)
    answered = set[int]()

    def finished(position: int, answer: Answer) -> None:
        answered.add(position)
        tell(FunctionToolResultEvent(answer, events[position].call_id))

    outcomes = await ctx.once_all([_once(ctx, call, finished) for call in calls])
    for call, outcome in zip(calls, outcomes, strict=True):
        if call.position not in answered:  # it was taken from the journal
            finished(call.position, outcome.part)
        if outcome.usage is not None:
            ctx.state.usage.incr(outcome.usage)
    return {call.position: outcome.part for call, outcome in zip(calls, outcomes, strict=True)}


def _once(ctx: AgentContext[Any], call: Call, finished: Finished) -> Once[CallOutcome]:
    identity = [call.part.tool_name, call.part.args_as_json_str()]

    async def run() -> CallOutcome:
        outcome = await _run(ctx, call, once)
        finished(call.position, outcome.part)
        return outcome

    once = Once(str(call.position), run, adapter=_adapter(), identity=identity)
    return once


async def _run(ctx: AgentContext[Any], call: Call, once: Once[CallOutcome]) -> CallOutcome:
    part = call.part
    stored = ctx.journal.answer(once.key, once.digest())
    match None if stored is None else read_answer(stored):
        case ToolDenied(content) | ToolValue(content):
            return CallOutcome(ToolReturnPart(part.tool_name, content, part.tool_call_id))
        case ToolApproved(args=args):
            return await _attempt(
                ctx, replace(call, part=replace(part, args=part.args if args is None else args)), once
            )
        case None:
            tool = ctx.deps.toolbox.tools[part.tool_name]
            if tool.requires_approval and tool.accepts(part):
                ctx.journal.ask(once.key, about("approval", part), once.digest())
            return await _attempt(ctx, call, once)


async def _attempt(ctx: AgentContext[Any], call: Call, once: Once[CallOutcome]) -> CallOutcome:
    after_crash = ctx.deps.toolbox.tools[call.part.tool_name].after_crash
    if after_crash != "retry":
        await ctx.journal.begin_call(replace(once, after_crash=after_crash), about("unknown outcome", call.part))
    approved = ctx.journal.answer(once.key, once.digest()) is not None
    try:
        return await _make(ctx, call.position, call.part, approved=approved)
    except ApprovalRequired:
        ctx.journal.ask(once.key, about("approval", call.part), once.digest())
    except CallDeferred:
        ctx.journal.ask(once.key, about("deferred", call.part), once.digest())


async def _make(ctx: AgentContext[Any], position: int, part: ToolCallPart, *, approved: bool) -> CallOutcome:
    toolbox = ctx.deps.toolbox
    name = part.tool_name
    # The call gets a usage of its own, so that what it adds can be told, journaled and counted exactly once.
    before = ctx.state.usage
    usage = before + Usage()
    here = replace(
        run_context(ctx),
        usage=usage,
        tool_name=name,
        tool_call_id=part.tool_call_id,
        retry=ctx.state.tool_retries.get(name, 0),
        idempotency_key=f"{ctx.run_id}/{ctx.seq}/{position}",
        tool_call_approved=approved,
        scope=_scope(ctx, position),
    )
    work = partial(run_call, toolbox.tools[name], part, here, default_timeout=toolbox.timeout)
    try:
        answer = await (emitted_call(ctx, part, work) if ctx.outlet.observers else work())
    except RunWaiting as waiting:
        if here.scope is None or waiting.run_id not in here.scope.children:
            raise UserError(
                f"tool {name!r} runs an agent that waits for answers (run {waiting.run_id!r}): "
                "give that agent's run `parent=ctx`, so that it is found again when they come"
            ) from waiting
        raise
    return CallOutcome(answer, None if usage == before else _difference(usage, before))


def _scope(ctx: AgentContext[Any], position: int) -> CallScope | None:
    if ctx.store is None:
        return None
    return CallScope(ctx.store, ctx.deps.limits, f"{ctx.run_id}/{ctx.journal.branch}:{ctx.seq}/{position}")


def _difference(after: Usage, before: Usage) -> Usage:
    details = {name: count - (before.details or {}).get(name, 0) for name, count in (after.details or {}).items()}
    return Usage(
        after.requests - before.requests,
        _less(after.request_tokens, before.request_tokens),
        _less(after.response_tokens, before.response_tokens),
        _less(after.total_tokens, before.total_tokens),
        {name: count for name, count in details.items() if count} or None,
    )


def _less(after: int | None, before: int | None) -> int | None:
    return None if after is None else after - (before or 0)


@cache
def _adapter() -> TypeAdapter[CallOutcome]:
    return TypeAdapter(CallOutcome)
