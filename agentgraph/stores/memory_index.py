"""Finds runs in memory by what they belong to, without a look at all the others."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from agentgraph.graph.store import NewRun, RunFilter

__all__ = ["RunIndex"]

_Key = tuple[str, str]


class RunIndex:
    """The ids of runs by their conversation, their parent and the run that they go on from. Most runs have none."""

    def __init__(self) -> None:
        self._ids: dict[_Key, dict[str, None]] = {}  # a set that keeps their order

    def add(self, run: NewRun) -> None:
        """A run was written."""
        for key in _keys(run.conversation, run.parent, run.origin and run.origin[0]):
            self._ids.setdefault(key, {})[run.run_id] = None

    def drop(self, run: NewRun) -> None:
        """It was forgotten."""
        for key in _keys(run.conversation, run.parent, run.origin and run.origin[0]):
            del self._ids[key][run.run_id]
            if not self._ids[key]:
                del self._ids[key]

    def of(self, which: RunFilter) -> Collection[str] | None:
        """Ids among which all are that the filter lets through; None: it says nothing of what is known here."""
        found = [self._ids.get(key, {}) for key in _keys(which.conversation, which.parent, which.origin)]
        return min(found, key=len) if found else None


def _keys(conversation: str | None, parent: str | None, origin: str | None) -> Iterable[_Key]:
    if conversation is not None:
        yield "conversation", conversation
    if parent is not None:
        yield "parent", parent
    if origin is not None:
        yield "origin", origin
