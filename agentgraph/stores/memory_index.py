"""Finds runs in memory by what they belong to, without a look at all the others."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from agentgraph.graph.store import RunFilter

__all__ = ["Kin", "RunIndex"]

Kin = tuple[str | None, str | None, str | None]
"""The conversation of a run, its parent and the run that it goes on from."""


class RunIndex:
    """The ids of runs by what they belong to. Most belong to nothing."""

    def __init__(self) -> None:
        self._ids: dict[tuple[int, str], dict[str, None]] = {}  # a set that keeps their order

    def add(self, run_id: str, kin: Kin) -> None:
        """A run was written."""
        for key in _keys(kin):
            self._ids.setdefault(key, {})[run_id] = None

    def drop(self, run_id: str, kin: Kin) -> None:
        """It was forgotten."""
        for key in _keys(kin):
            del self._ids[key][run_id]
            if not self._ids[key]:
                del self._ids[key]

    def of(self, which: RunFilter) -> Collection[str] | None:
        """Ids among which all are that the filter lets through; None: it says nothing of what is known here."""
        found = [self._ids.get(key, {}) for key in _keys((which.conversation, which.parent, which.origin))]
        return min(found, key=len) if found else None


def _keys(kin: Kin) -> Iterable[tuple[int, str]]:
    return [(position, run_id) for position, run_id in enumerate(kin) if run_id is not None]
