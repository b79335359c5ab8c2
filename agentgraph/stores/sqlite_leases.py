"""The runs that one store object holds in its file: leases renewed with one statement, and given up at the end."""

from __future__ import annotations

import json
import sqlite3

from agentgraph.graph.store import RunRecord

__all__ = ["Change", "Leases"]

Change = tuple[str, int | None] | None
"""What a write does to the runs held, once it is committed: a run and its epoch, or None where it was given up."""

_RENEW = """
    UPDATE runs SET lease_until = ? FROM json_each(?) AS held
    WHERE runs.run_id = held.key AND runs.epoch = held.value AND runs.status = 'running' RETURNING runs.run_id
"""

_GIVE_UP = """
    UPDATE runs SET owner_host = NULL, owner_pid = NULL, owner_started = NULL, owner_name = NULL, lease_until = ?
    FROM json_each(?) AS held
    WHERE runs.run_id = held.key AND runs.epoch = held.value AND runs.status = 'running'
"""


class Leases:
    """Only the writer's thread uses it."""

    def __init__(self, length: float) -> None:
        self.length = length
        self._held: dict[str, int] = {}
        self._abandoned: dict[str, int] = {}
        """Given up, but the file could not be told: its row still names this process."""

    def __len__(self) -> int:
        return len(self._held)

    def holds(self, run: RunRecord) -> bool:
        """Whether this store executes the run: not so once another owner has claimed it."""
        return self._held.get(run.run_id) == run.epoch

    def has_abandoned(self, run: RunRecord) -> bool:
        """Whether the run is free although its row says that this store executes it."""
        return self._abandoned.get(run.run_id) == run.epoch

    def abandon(self, run_id: str, epoch: int) -> None:
        """Hold a run no more although the file could not be told: nobody here would ever settle it again."""
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

    def renew(self, connection: sqlite3.Connection, now: float) -> set[str]:
        """Renew the leases of all runs; returns those that were lost to another owner, for `drop`."""
        renewed = connection.execute(_RENEW, (now + self.length, json.dumps(self._held))).fetchall()
        return self._held.keys() - {run_id for (run_id,) in renewed}

    def drop(self, lost: set[str]) -> None:
        """Forget runs that another owner has."""
        for run_id in lost:
            del self._held[run_id]

    def give_up(self, connection: sqlite3.Connection, now: float) -> None:
        """End all leases, so that any other owner can claim the runs at once."""
        connection.execute(_GIVE_UP, (now, json.dumps(self._held)))
        self._held.clear()
