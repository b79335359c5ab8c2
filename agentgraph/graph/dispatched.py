"""What observers are told of runs that somebody submits and others execute: as `Emitted`, beside what the runs tell."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DispatchEvent", "Dispatched", "HandedOn", "Recovered", "Submitted"]


@dataclass(frozen=True, slots=True)
class Submitted:
    """A run was stored, and stands in its queue. Told where it was submitted."""

    queue: str
    tenant: str | None = None


@dataclass(frozen=True, slots=True)
class Dispatched:
    """A run was taken from its queue and claimed. Told by who executes it, after `RunStarted`."""

    queue: str
    tenant: str | None = None
    waited: float | None = None
    """Seconds for which it could have been executed; None: that is not known, such as after an answer."""


@dataclass(frozen=True, slots=True)
class HandedOn:
    """A run was given back to its queue, because who executed it is to end."""

    queue: str
    tenant: str | None = None


@dataclass(frozen=True, slots=True)
class Recovered:
    """A run was given back to its queue, because its worker has died or hangs. Told by the worker that saw it."""

    queue: str
    tenant: str | None = None
    executor: str = ""
    """The worker that was lost."""


DispatchEvent = Submitted | Dispatched | HandedOn | Recovered
"""What is told of a submitted run."""
