"""Why a stored run does not fit the code that would go on with it."""

from __future__ import annotations

from dataclasses import dataclass

from agentgraph.exceptions import DecodeError, RunNotResumable

__all__ = ["Problem", "problems_in"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why a run cannot be resumed as things are."""

    what: str
    field: str | None = None
    """What it is about: `Node.field`, `State.field`, the name of an option; None: the run as a whole."""
    step: int | None = None
    """The step whose row holds it."""

    def __str__(self) -> str:
        where = [] if self.step is None else [f"step {self.step}"]
        return ": ".join([*where, *([] if self.field is None else [self.field]), self.what])


def problems_in(error: DecodeError | RunNotResumable) -> list[Problem]:
    """What an error of reading a run says."""
    if isinstance(error, DecodeError):
        return [Problem(error.reason, error.field, error.step)]
    return [Problem(problem) for problem in error.problems]
