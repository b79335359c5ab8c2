"""The leases of a store in its file: renewed with one statement, and given up with one at the end."""

from __future__ import annotations

import json
import sqlite3

from .leases import Leases

__all__ = ["give_up", "renew"]

_RENEW = """
    UPDATE runs SET lease_until = ? FROM json_each(?) AS held
    WHERE runs.run_id = held.key AND runs.epoch = held.value AND runs.status = 'running' RETURNING runs.run_id
"""

_GIVE_UP = """
    UPDATE runs SET owner_host = NULL, owner_pid = NULL, owner_started = NULL, owner_name = NULL, lease_until = ?
    FROM json_each(?) AS held
    WHERE runs.run_id = held.key AND runs.epoch = held.value AND runs.status = 'running'
"""


def renew(connection: sqlite3.Connection, leases: Leases, now: float) -> list[str]:
    """Renew the leases of all runs; returns the runs that another owner has not taken over."""
    renewed = connection.execute(_RENEW, (now + leases.length, json.dumps(dict(leases.held)))).fetchall()
    return [run_id for (run_id,) in renewed]


def give_up(connection: sqlite3.Connection, leases: Leases, now: float) -> None:
    """End all leases, so that any other owner can claim the runs at once."""
    connection.execute(_GIVE_UP, (now, json.dumps(dict(leases.held))))
    leases.clear()
