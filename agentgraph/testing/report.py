"""What came of crashing a scenario: frozen values, and a text for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from agentgraph.graph import Status
from agentgraph.usage import Usage

__all__ = ["CommitPoint", "Crash", "CrashReport", "Ending", "Repeated"]


@dataclass(frozen=True)
class CommitPoint:
    """Where a process dies: before or after its n-th write to the store."""

    number: int
    when: Literal["before", "after"]
    write: str = ""
    """What is written, for people."""

    def __str__(self) -> str:
        return f"{self.when} write {self.number}, {self.write}"


@dataclass(frozen=True)
class Repeated:
    """A call of a tool that was made more often than without the crash."""

    tool: str
    args: str
    """As JSON."""
    idempotency_key: str | None
    """The same at every attempt; None if it was not: the call is one of a run that begins anew with the tool that
    starts it, because that run is no child (`parent=ctx`)."""
    times: int
    """How often it was begun in all."""

    def __str__(self) -> str:
        key = "another idempotency key each time" if self.idempotency_key is None else f"key {self.idempotency_key}"
        return f"{self.tool}({self.args}), {key}"


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a run stands in its store when the scenario is over."""

    status: Status
    history: Sequence[Any]  # Any: JSON
    """The messages as JSON, without their timestamps."""
    usage: Usage
    result: Any  # JSON
    """The result as JSON; None if there is none."""
    error: str | None = None
    """Why the run failed, if it did."""
    unknown: Sequence[str] = ()
    """The journal keys of calls of unknown outcome that are not made again, as `after_crash` of their tools says."""


@dataclass(frozen=True, kw_only=True)
class Crash:
    """A run that died once and was resumed, beside the same run unkilled."""

    point: CommitPoint
    ending: Ending
    raised: str | None
    """What the scenario raised when it was resumed, if it did."""
    same_history: bool
    same_usage: bool
    same_result: bool
    """Status, result and error."""
    repeated: Sequence[Repeated]

    @property
    def same(self) -> bool:
        """Whether the run ended as if it had not been killed."""
        return self.same_history and self.same_usage and self.same_result

    @property
    def stopped(self) -> bool:
        """Whether the run stopped at a call of unknown outcome, as `after_crash='ask'` or `'fail'` asks for."""
        return not self.same and bool(self.ending.unknown)

    def __str__(self) -> str:
        compared = (("history", self.same_history), ("usage", self.same_usage), ("result", self.same_result))
        differs = ", ".join(name for name, same in compared if not same)
        raised = f"; it raised {self.raised}" if self.raised else ""
        return f"{self.point}: the run is {self.ending.status}, and not the same: {differs}{raised}"


@dataclass(frozen=True, kw_only=True)
class CrashReport:
    """A scenario killed at each of its commit points in turn."""

    unkilled: Ending
    crashes: Sequence[Crash] = field(repr=False)
    repeatable: bool
    """Whether two runs that nobody killed ended the same; if not, the differences say little."""

    @property
    def survived(self) -> bool:
        """Whether every run ended as if it had not been killed, or stopped where its tools ask for that."""
        return all(crash.same or crash.stopped for crash in self.crashes)

    @property
    def repeated(self) -> frozenset[str]:
        """The tools of which some crash has made a call happen again."""
        return frozenset(call.tool for crash in self.crashes for call in crash.repeated)

    def check(self, *, may_repeat: Collection[str] | None = None) -> None:
        """Fail a test, with the summary, unless all runs survived.

        Args:
            may_repeat: the tools that may be called again, because it does no harm; None: all.

        Raises:
            AssertionError: a run ended otherwise, or another tool was called again.
        """
        harmful = () if may_repeat is None else sorted(self.repeated - set(may_repeat))
        if not self.survived or harmful:
            message = f"{self.summary()}\nnot to be called again: {', '.join(harmful)}" if harmful else self.summary()
            raise AssertionError(message)

    def summary(self) -> str:
        """All of it in words."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        same = sum(crash.same for crash in self.crashes)
        yield f"killed at {len(self.crashes)} commit points; {same} times history, usage and result are as if unkilled"
        stopped = [crash for crash in self.crashes if crash.stopped]
        if stopped:
            yield f"{len(stopped)} times the run stopped at a call of unknown outcome, as its tool's `after_crash` says"
        yield from (f"  DIFFERS {crash}" for crash in self.crashes if not crash.same and not crash.stopped)
        if not self.repeatable:
            yield "  two runs that nobody killed differ as well: make the scenario do the same each time"
        yield from self._repeats()

    def _repeats(self) -> Iterator[str]:
        counts = Counter(str(call) for crash in self.crashes for call in crash.repeated)
        yield "calls of tools that are made again:" if counts else "no call of a tool is made again"
        for call, times in counts.items():
            first = next(crash for crash in self.crashes if call in map(str, crash.repeated))
            yield f"  {call}: after {times} of the crashes, the first one {first.point}"
