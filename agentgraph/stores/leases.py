"""The runs that one store object executes: what it renews, and what it gives up at its end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agentgraph.graph.store import RunRecord

from .claims import IsDead
from .owner import is_dead

__all__ = ["Change", "Leases"]

Change = tuple[str, int | None] | None
"""What a write does to the runs held, once it is committed: a run and its epoch, or None where it was given up."""


class Leases:
    """Only the writer's thread uses it."""

    def __init__(self, length: float) -> None:
        self.length = length
        """Seconds."""
        self._held: dict[str, int] = {}
        self._abandoned: dict[str, int] = {}
        """Given up, but the store could not be told: its row still names this process."""

    def __len__(self) -> int:
        return len(self._held)

    @property
    def held(self) -> Mapping[str, int]:
        """The epoch of every run."""
        return self._held

    def holds(self, run: RunRecord) -> bool:
        """Whether this store executes the run: not so once another owner has claimed it."""
        return self._held.get(run.run_id) == run.epoch

    def is_dead(self, run: RunRecord) -> IsDead:
        """Whether owners are dead, to judge this run by: who has abandoned it counts as dead."""
        return (lambda _: True) if self._abandoned.get(run.run_id) == run.epoch else is_dead

    def abandon(self, run_id: str, epoch: int) -> None:
        """Hold a run no more although the store could not be told: nobody here would ever settle it again."""
        if self._held.get(run_id) == epoch:
            self._abandoned[run_id] = self._held.pop(run_id)

    def apply(self, change: Change) -> None:
        """Take over what a committed write changed."""
        if change is None:
            return
        run_id, epoch = change
        self._abandoned.pop(run_id, None)
        if epoch is None:
            self._held.pop(run_id, None)
        else:
            self._held[run_id] = epoch

    def keep(self, renewed: Iterable[str]) -> None:
        """Forget every run but those that were renewed: another owner has it."""
        for run_id in self._held.keys() - set(renewed):
            del self._held[run_id]

    def clear(self) -> None:
        """Forget all."""
        self._held.clear()
