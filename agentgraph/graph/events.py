"""What happens in a run, told to whoever listens. Events go out and nothing comes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .lifecycle import Status

__all__ = ["Emitted", "Observer", "Outlet", "RunEnded", "RunEvent", "RunStarted", "StepEnded", "StepStarted"]


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The run was created or claimed by this process."""

    run_id: str
    seq: int
    """The step it goes on with."""


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A node begins its turn."""

    run_id: str
    seq: int
    attempt: int
    node: str
    branch: str = ""
    """The path of its branch; empty for the root."""


@dataclass(frozen=True, slots=True)
class StepEnded:
    """A step was committed."""

    run_id: str
    seq: int
    node: str
    outcome: str
    """The id of the node that comes next, or `End`."""
    branch: str = ""


@dataclass(frozen=True, slots=True)
class RunEnded:
    """This process has given the run up, for good or for now."""

    run_id: str
    status: Status
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Emitted:
    """A node said something by `ctx.emit`."""

    run_id: str
    seq: int
    event: object


RunEvent = RunStarted | StepStarted | StepEnded | RunEnded | Emitted

Observer = Callable[[RunEvent], None]
"""Called with each event of a run, in order, on the event loop: it hands on and returns.

What it raises fails the run.
"""


@dataclass(frozen=True, slots=True)
class Outlet:
    """Hands events to observers."""

    observers: Sequence[Observer] = ()

    def tell(self, event: RunEvent) -> None:
        """Call every observer, one after the other."""
        for observer in self.observers:
            observer(event)
