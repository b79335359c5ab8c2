"""Runs the function tools that a reply calls, side by side and journaled: a call that has ended is not made again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from typing import Any, NoReturn, assert_never

from pydantic import TypeAdapter
from pydantic_core import to_json

from agentgraph.context import CallScope, RunContext
from agentgraph.exceptions import ApprovalRequired, CallDeferred, RunFenced, RunWaiting, StoreError, UserError
from agentgraph.graph import JournalKind, Once, stage
from agentgraph.messages import (
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    HandleResponseEvent,
    ToolCallPart,
    ToolReturnPart,
)
from agentgraph.tools import Tool, run_call
from agentgraph.usage import Usage

from .answers import Reason, ToolApproved, ToolDenied, ToolValue, about, read_answer
from .config import AgentContext, prompt_of
from .decide import Call
from .events import CallStarted, emitted_call
from .outcomes import Answer, CallOutcome, answer_instead, outcomes
from .used import difference, snapshot

__all__ = ["Tell", "run_calls"]

Tell = Callable[[HandleResponseEvent], None]


class _Batch:
    """The calls of a reply while they are made."""

    def __init__(self, ctx: AgentContext[Any], calls: Sequence[Call], tell: Tell | None) -> None:
        self.ctx, self.tell = ctx, tell
        self.calls = {call.position: call for call in calls}
        self.ended: dict[int, CallOutcome] = {}
        self.live: dict[int, Usage] = {}
        """The usages that calls count in, begun with that of the run."""
        self.scopes: dict[int, CallScope] = {}
        self.told: dict[int, str] = {}
        """The ids under which those were told who listen."""

    def announce(self, tell: Tell) -> None:
        """Tell of all calls."""
        events = {position: FunctionToolCallEvent(call.part) for position, call in self.calls.items()}
        self.told = {position: event.call_id for position, event in events.items()}
        for event in events.values():
            tell(event)

    def end(self, call: Call, outcome: CallOutcome) -> None:
        """Take in, and tell, how a call has ended; once."""
        if call.position in self.ended:
            return
        self.ended[call.position] = outcome
        if self.tell is not None:
            self.tell(FunctionToolResultEvent(outcome.part, self.told[call.position]))

    def beside(self, position: int) -> Usage:
        """What the other calls have used so far, and what goes on beside the whole run."""
        return sum((self._used(other) for other in self.calls if other != position), self.ctx.deps.spent(Usage()))

    def used(self) -> Usage:
        """What all calls have used so far."""
        return sum(map(self._used, self.calls), Usage())

    def count(self) -> None:
        """Add what the calls have used to the run's usage: those that came to their end, and those that did not."""
        for position, call in self.calls.items():
            outcome = self.ended.get(position)
            used = _used_before(self.ctx, call) if outcome is None else outcome.usage
            if used is not None:
                self.ctx.state.usage.incr(used)

    def _used(self, position: int) -> Usage:
        if position in self.live:
            counted = difference(self.live[position], self.ctx.state.usage)
            return sum((used() for used in self.scopes[position].below), counted)
        outcome = self.ended.get(position)
        used = _used_before(self.ctx, self.calls[position]) if outcome is None else outcome.usage
        return used or Usage()


async def run_calls(ctx: AgentContext[Any], calls: Sequence[Call], tell: Tell | None) -> dict[int, Answer]:
    """The answers to `calls`, by position. What the calls used is added to the run's usage.

    Raises:
        Exception: whatever a tool raises but `ModelRetry`; the calls that had ended are journaled.
    """
    if not calls:
        return {}
    if len(calls) == 1 and tell is None and _needs_nothing(ctx, calls[0]):
        return {calls[0].position: await _run_alone(ctx, calls[0])}
    batch = _Batch(ctx, calls, tell)
    if tell is not None:
        batch.announce(tell)
    try:
        with ctx.deps.counting(batch.used):
            outcomes = await ctx.once_all([_once(batch, call) for call in calls])
        for call, outcome in zip(calls, outcomes, strict=True):
            batch.end(call, outcome)  # where it was taken from the journal
    finally:
        batch.count()  # not before: every call begins with the same usage, whichever of them ends first
        batch.scopes.clear()  # they refer to the batch: a cycle, which only the garbage collector frees
    return {position: batch.ended[position].part for position in batch.calls}  # in their order, not as they ended


def _needs_nothing(ctx: AgentContext[Any], call: Call) -> bool:
    """Whether a call counts in no usage, asks and notes nothing before it is made, and is made for the first time."""
    tool = ctx.deps.toolbox.tools[call.part.tool_name]
    return not (tool.takes_ctx or tool.requires_approval or tool.after_crash != "retry") and ctx.journal.blank


async def _run_alone(ctx: AgentContext[Any], call: Call) -> Answer:
    """Run such a call where it is the only one, and nobody listens."""
    once: Once[CallOutcome] = Once(
        str(call.position), _made_alone, (ctx, call), outcomes(), partial(_identity, call.part)
    )
    (outcome,) = await ctx.once_all([once])
    return outcome.part


async def _made_alone(ctx: AgentContext[Any], call: Call) -> CallOutcome:
    tool = ctx.deps.toolbox.tools[call.part.tool_name]
    instead = answer_instead(ctx.run_id, call, tool)
    if instead is not None:
        return instead
    try:
        return CallOutcome(await _answer(ctx, call, tool, None))
    except CallDeferred:
        _ask(ctx, "deferred", call.part, str(call.position))
    except ApprovalRequired:
        _ask(ctx, "approval", call.part, str(call.position))


def _used_before(ctx: AgentContext[Any], call: Call) -> Usage | None:
    """What a call that has not come to its end has used, in this attempt or an earlier one."""
    if ctx.journal.blank:
        return None
    row = ctx.journal.row(str(call.position), _digest(call.part))
    if row is None or row.kind is not JournalKind.DONE:
        return _spent(ctx, call.position)
    return outcomes().validate_json(row.value).usage


def _once(batch: _Batch, call: Call) -> Once[CallOutcome]:
    # `Once[CallOutcome](…)` would note its type in an object that cannot be changed, at the price of an exception.
    identity = partial(_identity, call.part)
    once: Once[CallOutcome] = Once(str(call.position), _run_told, (batch, call), outcomes(), identity)
    return once


def _digest(part: ToolCallPart) -> str:
    return Once[CallOutcome]("", _run_told, identity=_identity(part)).digest()


def _identity(part: ToolCallPart) -> list[str]:
    """What tells a call from others under its key."""
    return [part.tool_name, part.args_as_json_str()]


async def _run_told(batch: _Batch, call: Call) -> CallOutcome:
    ctx = batch.ctx
    outcome = answer_instead(ctx.run_id, call, ctx.deps.toolbox.tools[call.part.tool_name])
    if outcome is None and ctx.journal.blank:
        outcome = await _attempt(batch, call, str(call.position), approved=False)
    elif outcome is None:
        outcome = await _attempt_again(batch, call)
    batch.end(call, outcome)
    return outcome


async def _attempt_again(batch: _Batch, call: Call) -> CallOutcome:
    """Make the call, or ask about it; what was asked about it before, and answered, holds."""
    ctx, part, answers, key = batch.ctx, call.part, 0, str(call.position)
    here = key
    while (stored := ctx.journal.answer(here, _digest(part))) is not None:
        match read_answer(stored):
            case ToolDenied(content) | ToolValue(content):
                return CallOutcome(ToolReturnPart(part.tool_name, content, part.tool_call_id))
            case ToolApproved(args=args):
                part = part if args is None else replace(part, args=args)
                answers += 1
                here = stage(key, answers)
            case _ as unreachable:
                assert_never(unreachable)
    ctx.journal.ask_on(here, _digest(part))
    return await _attempt(batch, replace(call, part=part), here, approved=answers > 0)


async def _attempt(batch: _Batch, call: Call, key: str, *, approved: bool) -> CallOutcome:
    """Make the call, whatever its tool wants to be asked or noted under `key`."""
    ctx, part = batch.ctx, call.part
    tool = ctx.deps.toolbox.tools[part.tool_name]
    plain = tool.after_crash == "retry" and (approved or not tool.requires_approval)
    begun = False if plain else await _begin(ctx, part, key, approved=approved)
    try:
        return await _make(batch, call, tool, approved=approved)
    except CallDeferred:
        _ask(ctx, "deferred", part, key)
    except ApprovalRequired as required:
        if not approved:
            _ask(ctx, "approval", part, key)
        error: Exception = _approved_already(part.tool_name)
        error.__cause__ = required
    except Exception as raised:  # noqa: BLE001 - it is raised again
        error = raised
    if begun:
        await ctx.journal.end_call(key, _digest(part))
    raise error


async def _begin(ctx: AgentContext[Any], part: ToolCallPart, key: str, *, approved: bool) -> bool:
    """Ask for approval, if the tool says so, and note that the call is made; whether it was noted."""
    tool = ctx.deps.toolbox.tools[part.tool_name]
    # Arguments that do not fit go back to the model: nobody is asked about them, and nothing happens.
    if not tool.accepts(part):
        return False
    if tool.requires_approval and not approved:
        _ask(ctx, "approval", part, key)
    noted = Once[CallOutcome](key, _run_told, identity=_identity(part), after_crash=tool.after_crash)
    await ctx.journal.begin_call(noted, about("unknown outcome", part))
    return True


def _ask(ctx: AgentContext[Any], reason: Reason, part: ToolCallPart, key: str) -> NoReturn:
    ctx.journal.ask(key, about(reason, part), _digest(part))


def _approved_already(name: str) -> UserError:
    return UserError(
        f"tool {name!r} asks for approval of a call that was approved: "
        "let it ask only if `ctx.tool_call_approved` is False"
    )


async def _make(batch: _Batch, call: Call, tool: Tool[Any], *, approved: bool) -> CallOutcome:
    """Make the call. What it adds to the usage that it is handed is told, journaled and counted exactly once."""
    ctx, position = batch.ctx, call.position
    if ctx.journal.blank and not tool.takes_ctx:  # it has nothing to count in, and has had nothing
        return CallOutcome(await _answer(ctx, call, tool, None))
    before, spent = snapshot(ctx.state.usage), _spent(ctx, position)
    begun = before if spent is None else before + spent
    usage = batch.live[position] = snapshot(begun)
    scope = _scope(batch, position)
    if scope is not None:
        batch.scopes[position] = scope
    state, name = ctx.state, call.part.tool_name
    here = RunContext(
        deps=ctx.deps.deps,
        model=ctx.deps.model,
        usage=usage,
        prompt=prompt_of(state),
        messages=state.message_history,
        tool_call_id=call.part.tool_call_id,
        tool_name=name,
        retry=state.tool_retries.get(name, 0),
        run_step=state.run_step,
        run_id=ctx.run_id,
        tool_call_approved=approved,
        idempotency_key=_idempotency_key(ctx, call),
        scope=scope,
    )
    try:
        answer = await _answer(ctx, call, tool, here)
    except BaseException:
        if usage != begun:
            await _note_used(ctx, position, difference(usage, before))
        raise
    return CallOutcome(answer, None if usage == before else difference(usage, before))


async def _answer(ctx: AgentContext[Any], call: Call, tool: Tool[Any], here: RunContext[Any] | None) -> Answer:
    """What the tool answers; `here` is what it sees of the run, if it takes that."""
    timeout = ctx.deps.toolbox.timeout
    try:
        if not ctx.outlet.observers:
            return await run_call(tool, call.part, here, default_timeout=timeout)
        work = partial(run_call, tool, call.part, here, default_timeout=timeout)
        return await emitted_call(ctx, CallStarted(call.part, _idempotency_key(ctx, call)), work)
    except RunWaiting as error:
        scope = None if here is None else here.scope
        if scope is not None and error.run_id in scope.children:
            raise
        raise UserError(
            f"tool {tool.name!r} runs an agent that waits for answers (run {error.run_id!r}): "
            "give that agent's run `parent=ctx`, so that it is found again when they come"
        ) from error


def _idempotency_key(ctx: AgentContext[Any], call: Call) -> str:
    return f"{ctx.run_id}/{ctx.seq}/{call.position}"


async def _note_used(ctx: AgentContext[Any], position: int, used: Usage) -> None:
    """Note what a call has used that did not end, for the attempt that makes it again."""
    with suppress(StoreError, RunFenced):  # what ended the call is what the caller must hear of
        await ctx.journal.note(JournalKind.NOTED, *_noted(position), to_json(used))


def _spent(ctx: AgentContext[Any], position: int) -> Usage | None:
    """What attempts of the call have used that did not end; None if nothing was noted of any."""
    row = ctx.journal.row(*_noted(position))
    return None if row is None else _usage_adapter().validate_json(row.value)


def _noted(position: int) -> tuple[str, str]:
    return f"{position} used", "usage"


def _scope(batch: _Batch, position: int) -> CallScope | None:
    ctx = batch.ctx
    if ctx.store is None:
        return None
    prefix = f"{ctx.run_id}/{ctx.journal.branch}:{ctx.seq}/{position}"
    return CallScope(ctx.store, ctx.deps.limits, partial(batch.beside, position), prefix)


@cache
def _usage_adapter() -> TypeAdapter[Usage]:
    return TypeAdapter(Usage)
