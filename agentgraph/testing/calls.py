"""The calls of tools that a scenario makes, and which of them a crash has made happen again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from agentgraph.agent import CallStarted
from agentgraph.graph import Emitted, RunEvent

from .report import Repeated

__all__ = ["CallLog", "MadeCall", "repeated"]


@dataclass(frozen=True)
class MadeCall:
    """A tool was called."""

    tool: str
    args: str
    """As JSON."""
    key: str | None
    """The idempotency key."""


@dataclass(frozen=True)
class CallLog:
    """Observes runs, and notes each call of a tool when it begins."""

    note: Callable[[MadeCall], None]

    def __call__(self, event: RunEvent) -> None:
        match event:
            case Emitted(event=CallStarted() as call):
                self.note(MadeCall(call.part.tool_name, call.part.args_as_json_str(), call.idempotency_key))
            case _:
                pass


def repeated(made: Sequence[MadeCall], unkilled: Sequence[MadeCall]) -> tuple[Repeated, ...]:
    """The calls that were `made` more often than by a run that nobody has killed.

    A call whose key that run does not know belongs to a run that has another id each time: such calls are told apart
    by what was called alone.
    """
    known = {call.key for call in unkilled}
    shared = known & {call.key for call in made}
    expected = Counter(_counted(call, shared) for call in unkilled)
    found = Counter(_counted(call, shared) for call in made)
    return tuple(_report(found, expected))


def _counted(call: MadeCall, shared: set[str | None]) -> MadeCall:
    return call if call.key in shared else MadeCall(call.tool, call.args, None)


def _report(found: Mapping[MadeCall, int], expected: Mapping[MadeCall, int]) -> list[Repeated]:
    return [
        Repeated(call.tool, call.args, call.key, times)
        for call, times in found.items()
        if times > max(1, expected.get(call, 0))
    ]
