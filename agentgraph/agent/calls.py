"""Runs the function tools that a reply calls, side by side and journaled: a call that has ended is not made again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any, NoReturn, assert_never

from pydantic import TypeAdapter
from pydantic_core import to_json

from agentgraph.context import CallScope
from agentgraph.exceptions import ApprovalRequired, CallDeferred, RunFenced, RunWaiting, StoreError, UserError
from agentgraph.graph import JournalKind, Once, stage
from agentgraph.messages import (
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    HandleResponseEvent,
    ToolCallPart,
    ToolReturnPart,
)
from agentgraph.tools import run_call
from agentgraph.usage import Usage

from .answers import Reason, ToolApproved, ToolDenied, ToolValue, about, read_answer
from .config import AgentContext, run_context
from .decide import Call
from .events import CallStarted, emitted_call
from .outcomes import Answer, CallOutcome, answer_instead, outcomes
from .used import difference

__all__ = ["Tell", "run_calls"]

Tell = Callable[[HandleResponseEvent], None]


@dataclass(frozen=True)
class _Batch:
    """The calls of a reply while they are made."""

    ctx: AgentContext[Any]
    calls: Mapping[int, Call]
    """By position."""
    finished: Callable[[int, CallOutcome], None]
    """Told of a call by its position, once it has ended."""
    ended: Mapping[int, CallOutcome]
    live: dict[int, Usage] = field(default_factory=dict[int, Usage])
    """The usages that calls count in, begun with that of the run."""
    scopes: dict[int, CallScope] = field(default_factory=dict[int, CallScope])

    def beside(self, position: int) -> Usage:
        """What the other calls have used so far, and what goes on beside the whole run."""
        return sum((self._used(other) for other in self.calls if other != position), self.ctx.deps.spent(Usage()))

    def used(self) -> Usage:
        """What all calls have used so far."""
        return sum(map(self._used, self.calls), Usage())

    def _used(self, position: int) -> Usage:
        if position not in self.live:
            return _used(self.ctx, self.calls[position], self.ended)
        counted = difference(self.live[position], self.ctx.state.usage)
        return sum((used() for used in self.scopes[position].below), counted)


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
    ended = dict[int, CallOutcome]()

    def finished(position: int, outcome: CallOutcome) -> None:
        ended[position] = outcome
        tell(FunctionToolResultEvent(outcome.part, events[position].call_id))

    batch = _Batch(ctx, {call.position: call for call in calls}, finished, ended)
    try:
        with ctx.deps.counting(batch.used):
            outcomes = await ctx.once_all([_once(batch, call) for call in calls])
        for call, outcome in zip(calls, outcomes, strict=True):
            if call.position not in ended:  # it was taken from the journal
                finished(call.position, outcome)
    finally:
        # Not before: every call begins with the same usage, whichever of them ends first.
        for call in calls:
            ctx.state.usage.incr(_used(ctx, call, ended))
        batch.scopes.clear()  # they refer to the batch: a cycle, which only the garbage collector frees
    return {call.position: outcome.part for call, outcome in zip(calls, outcomes, strict=True)}


def _used(ctx: AgentContext[Any], call: Call, ended: Mapping[int, CallOutcome]) -> Usage:
    """What a call has used, whether it came to its end, now or in an earlier attempt, or not."""
    outcome = ended.get(call.position)
    if outcome is None:
        once = Once[CallOutcome](str(call.position), _run_told, identity=_identity(call.part))
        row = ctx.journal.row(once.key, once.digest())
        if row is None or row.kind is not JournalKind.DONE:
            return _spent(ctx, call.position)
        outcome = outcomes().validate_json(row.value)
    return outcome.usage or Usage()


def _once(batch: _Batch, call: Call) -> Once[CallOutcome]:
    # A function that closed over its own Once would be a cycle, which only the garbage collector frees.
    return Once(str(call.position), _run_told, (batch, call), outcomes(), identity=_identity(call.part))


async def _run_told(batch: _Batch, call: Call) -> CallOutcome:
    ctx = batch.ctx
    outcome = answer_instead(ctx.run_id, call, ctx.deps.toolbox.tools[call.part.tool_name])
    if outcome is None:
        outcome = await _run(batch, call, _once(batch, call))
    batch.finished(call.position, outcome)
    return outcome


async def _run(batch: _Batch, call: Call, once: Once[CallOutcome]) -> CallOutcome:
    """Make the call, or ask about it; what was asked about it before, and answered, holds."""
    ctx, part, answers, here = batch.ctx, call.part, 0, once
    if ctx.journal.blank:
        return await _attempt(batch, call, once, approved=False)
    while (stored := ctx.journal.answer(here.key, here.digest())) is not None:
        match read_answer(stored):
            case ToolDenied(content) | ToolValue(content):
                return CallOutcome(ToolReturnPart(part.tool_name, content, part.tool_call_id))
            case ToolApproved(args=args):
                part = part if args is None else replace(part, args=args)
                answers += 1
                here = replace(once, key=stage(once.key, answers), identity=_identity(part))
            case _ as unreachable:
                assert_never(unreachable)
    ctx.journal.ask_on(here.key, here.digest())
    return await _attempt(batch, replace(call, part=part), here, approved=answers > 0)


async def _attempt(batch: _Batch, call: Call, once: Once[CallOutcome], *, approved: bool) -> CallOutcome:
    ctx = batch.ctx
    begun = await _begin(ctx, call.part, once, approved=approved)
    try:
        return await _make(batch, call.position, call.part, approved=approved)
    except CallDeferred:
        _ask(ctx, "deferred", call.part, once)
    except ApprovalRequired as required:
        if not approved:
            _ask(ctx, "approval", call.part, once)
        error: Exception = _approved_already(call.part.tool_name)
        error.__cause__ = required
    except Exception as raised:  # noqa: BLE001 - it is raised again
        error = raised
    if begun:
        await ctx.journal.end_call(once.key, once.digest())
    raise error


async def _begin(ctx: AgentContext[Any], part: ToolCallPart, once: Once[CallOutcome], *, approved: bool) -> bool:
    """Ask for approval, if the tool says so, and note that the call is made; whether it was noted."""
    tool = ctx.deps.toolbox.tools[part.tool_name]
    asks, notes = tool.requires_approval and not approved, tool.after_crash != "retry"
    # Arguments that do not fit go back to the model: nobody is asked about them, and nothing happens.
    if not (asks or notes) or not tool.accepts(part):
        return False
    if asks:
        _ask(ctx, "approval", part, once)
    await ctx.journal.begin_call(replace(once, after_crash=tool.after_crash), about("unknown outcome", part))
    return True


def _ask(ctx: AgentContext[Any], reason: Reason, part: ToolCallPart, once: Once[CallOutcome]) -> NoReturn:
    ctx.journal.ask(once.key, about(reason, part), once.digest())


def _approved_already(name: str) -> UserError:
    return UserError(
        f"tool {name!r} asks for approval of a call that was approved: "
        "let it ask only if `ctx.tool_call_approved` is False"
    )


async def _make(batch: _Batch, position: int, part: ToolCallPart, *, approved: bool) -> CallOutcome:
    ctx = batch.ctx
    toolbox = ctx.deps.toolbox
    name = part.tool_name
    # The call gets a usage of its own, so that what it adds can be told, journaled and counted exactly once.
    before, spent = ctx.state.usage + Usage(), _spent(ctx, position)
    usage = batch.live[position] = before + spent
    here = replace(
        run_context(ctx),
        usage=usage,
        tool_name=name,
        tool_call_id=part.tool_call_id,
        retry=ctx.state.tool_retries.get(name, 0),
        idempotency_key=f"{ctx.run_id}/{ctx.seq}/{position}",
        tool_call_approved=approved,
        scope=_scope(batch, position),
    )
    work = partial(run_call, toolbox.tools[name], part, here, default_timeout=toolbox.timeout)
    try:
        if ctx.outlet.observers:
            answer = await emitted_call(ctx, CallStarted(part, here.idempotency_key), work)
        else:
            answer = await work()
    except BaseException as error:
        if usage != before + spent:
            await _note_used(ctx, position, difference(usage, before))
        if isinstance(error, RunWaiting) and (here.scope is None or error.run_id not in here.scope.children):
            raise UserError(
                f"tool {name!r} runs an agent that waits for answers (run {error.run_id!r}): "
                "give that agent's run `parent=ctx`, so that it is found again when they come"
            ) from error
        raise
    return CallOutcome(answer, None if usage == before else difference(usage, before))


async def _note_used(ctx: AgentContext[Any], position: int, used: Usage) -> None:
    """Note what a call has used that did not end, for the attempt that makes it again."""
    with suppress(StoreError, RunFenced):  # what ended the call is what the caller must hear of
        await ctx.journal.note(JournalKind.NOTED, *_noted(position), to_json(used))


def _spent(ctx: AgentContext[Any], position: int) -> Usage:
    """What attempts of the call have used that did not end."""
    row = ctx.journal.row(*_noted(position))
    return Usage() if row is None else _usage_adapter().validate_json(row.value)


def _noted(position: int) -> tuple[str, str]:
    return f"{position} used", "usage"


def _identity(part: ToolCallPart) -> list[str]:
    """What tells a call from others under its key."""
    return [part.tool_name, part.args_as_json_str()]


def _scope(batch: _Batch, position: int) -> CallScope | None:
    ctx = batch.ctx
    if ctx.store is None:
        return None
    prefix = f"{ctx.run_id}/{ctx.journal.branch}:{ctx.seq}/{position}"
    batch.scopes[position] = scope = CallScope(ctx.store, ctx.deps.limits, partial(batch.beside, position), prefix)
    return scope


@cache
def _usage_adapter() -> TypeAdapter[Usage]:
    return TypeAdapter(Usage)
