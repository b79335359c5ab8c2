"""What a scenario is handed: which run to run, and where."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from typing_extensions import TypedDict

from agentgraph.graph import Store

__all__ = ["RUN_ID", "Attempt", "CrashOptions", "Scenario"]

T = TypeVar("T")

RUN_ID = "crash-test"
"""The id of every scenario's run."""


class CrashOptions(TypedDict, total=False):
    """The options of a door that a scenario has to hand on."""

    store: Store
    run_id: str
    resume: str


@dataclass(frozen=True)
class Attempt:
    """One process's share of a scenario."""

    store: Store
    """Where the run is kept: a store that dies at the chosen write."""
    first: bool
    """Whether nothing has happened yet: the time to reset what the tools write to."""
    resumes: bool
    """Whether there is a run to go on with. A process that died before it wrote anything has left none."""

    @property
    def run_id(self) -> str:
        """The id of the run, new or resumed."""
        return RUN_ID

    @property
    def options(self) -> CrashOptions:
        """What the door is to be given: the store, and `run_id` or `resume`."""
        if self.resumes:
            return {"store": self.store, "resume": RUN_ID}
        return {"store": self.store, "run_id": RUN_ID}

    def prompt(self, prompt: T) -> T | None:
        """The prompt for a new run, None for a run that is resumed."""
        return None if self.resumes else prompt


Scenario: TypeAlias = Callable[[Attempt], Awaitable[object]]
"""Runs an agent to its end, as one process would; what it returns is of no matter."""
