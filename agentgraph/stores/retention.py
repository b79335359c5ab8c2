"""Which runs a memory store may forget: pure bookkeeping of ids.

A run *rests* when nobody executes it. Resting runs are forgotten above a bound: finished ones first, then pending,
then waiting ones, in each class the one that has rested longest. A run is *bound*, so it stays and does not count,
while its parent stays (it goes with it) and while another run goes on from it (its history is shared).
"""

from __future__ import annotations

from collections.abc import Sequence

from agentgraph.graph.lifecycle import Status

__all__ = ["Retention"]

_CLASSES: dict[Status, int] = {Status.PENDING: 1, Status.WAITING: 2}
"""The later a class, the longer it stays; every other status is class 0."""


class Retention:
    """Decides what to forget; the store does it."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._classes: tuple[dict[str, None], ...] = ({}, {}, {})
        """What rests and is not bound, in the order in which it came to rest."""
        self._resting: dict[str, tuple[Status, bool]] = {}
        """What rests, and whether it goes as soon as nothing binds it."""
        self._parents: dict[str, str] = {}
        self._children: dict[str, list[str]] = {}
        self._origins: dict[str, str] = {}
        self._pointers: dict[str, int] = {}
        """How many runs go on from a run; never 0."""

    def add(self, run_id: str, parent: str | None, origin: str | None) -> None:
        """A run was created and is executed; `parent` and `origin` are runs that the store holds, or None."""
        if parent is not None:
            self._parents[run_id] = parent
            self._children.setdefault(parent, []).append(run_id)
        if origin is not None:
            self._origins[run_id] = origin
            self._pointers[origin] = self._pointers.get(origin, 0) + 1
            self._unqueue(origin)

    def wake(self, run_id: str) -> None:
        """A run is executed again."""
        self._resting.pop(run_id, None)
        self._unqueue(run_id)

    def rest(self, run_id: str, status: Status, *, forget: bool) -> list[str]:
        """A run is executed no more; `forget`: nobody can ask for it. Returns the runs to forget now."""
        self.wake(run_id)
        if forget and not self._is_related(run_id):  # so it is with most runs
            return [run_id]
        self._resting[run_id] = (status, forget)
        gone = self._settle(run_id)
        while sum(map(len, self._classes)) > self._keep:
            oldest = next(iter(next(filter(None, self._classes))))
            self._doom(oldest)
            gone += self._settle(oldest, evicted=True)
        return gone

    def remove(self, run_ids: Sequence[str]) -> list[str]:
        """A run was deleted with all below it, itself first; returns all runs to forget now."""
        gone: list[str] = []
        for run_id in run_ids:
            self._resting[run_id] = (Status.CANCELLED, True)
            if self._origins.get(run_id) in run_ids:
                self._unpoint(self._origins.pop(run_id))
        for run_id in run_ids:
            if run_id in self._resting:  # else it went with one before it
                gone += self._settle(run_id)
        return gone

    def _settle(self, run_id: str, *, evicted: bool = False) -> list[str]:
        """Queue a run, or drop it and what goes with it; a list instead of recursion, for chains can be long."""
        gone: list[str] = []
        todo = [run_id]
        while todo:
            run_id = todo.pop()
            if run_id not in self._resting or run_id in self._parents or run_id in self._pointers:
                continue
            status, forget = self._resting[run_id]
            if forget:
                gone.append(run_id)
                todo += self._remove(run_id, evicted=evicted)
            else:
                self._classes[_CLASSES.get(status, 0)][run_id] = None
        return gone

    def _remove(self, run_id: str, *, evicted: bool) -> list[str]:
        """Take a run out; returns those that it has bound."""
        status, _ = self._resting[run_id]
        self.wake(run_id)
        freed = self._children.pop(run_id, [])
        for child in freed:
            del self._parents[child]
            self._doom(child)
        origin = self._origins.pop(run_id, None)
        if origin is not None and self._unpoint(origin):
            freed.append(origin)
            # It has rested longer than the run that went because the store is full, so it is next in its class; and
            # a conversation that is forgotten is forgotten as a whole, not its last turn alone.
            if evicted and self._resting.get(origin, (None,))[0] is status:
                self._doom(origin)
        return freed

    def _unpoint(self, origin: str) -> bool:
        """One run less goes on from `origin`; whether it was the last."""
        self._pointers[origin] -= 1
        if self._pointers[origin]:
            return False
        del self._pointers[origin]
        return True

    def _doom(self, run_id: str) -> None:
        if run_id in self._resting:
            self._resting[run_id] = (self._resting[run_id][0], True)

    def _is_related(self, run_id: str) -> bool:
        known = (self._parents, self._children, self._origins, self._pointers)
        return any(run_id in each for each in known)

    def _unqueue(self, run_id: str) -> None:
        for group in self._classes:
            group.pop(run_id, None)
