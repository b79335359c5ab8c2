"""Runs the function tools that a reply calls, side by side and journaled: a call that has ended is not made again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from agentgraph.graph import Once
from agentgraph.messages import (
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    HandleResponseEvent,
    RetryPromptPart,
    ToolReturnPart,
)
from agentgraph.tools import run_call
from agentgraph.usage import Usage

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
    key = str(call.position)
    identity = [call.part.tool_name, call.part.args_as_json_str()]
    return Once(key, _run, (ctx, call, finished), adapter=_adapter(), identity=identity)


async def _run(ctx: AgentContext[Any], call: Call, finished: Finished) -> CallOutcome:
    toolbox = ctx.deps.toolbox
    name = call.part.tool_name
    # The call gets a usage of its own, so that what it adds can be told, journaled and counted exactly once.
    before = ctx.state.usage
    usage = before + Usage()
    here = replace(
        run_context(ctx),
        usage=usage,
        tool_name=name,
        tool_call_id=call.part.tool_call_id,
        retry=ctx.state.tool_retries.get(name, 0),
        idempotency_key=f"{ctx.run_id}/{ctx.seq}/{call.position}",
    )
    work = partial(run_call, toolbox.tools[name], call.part, here, default_timeout=toolbox.timeout)
    part = await (emitted_call(ctx, call.part, work) if ctx.outlet.observers else work())
    finished(call.position, part)
    return CallOutcome(part, None if usage == before else _difference(usage, before))


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
