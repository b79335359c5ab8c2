"""The leases of a store in its file: renewed with one statement, and given up with one at the end."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping

from .leases import Leases

__all__ = ["Renewed", "give_up", "renew"]

Renewed = tuple[Mapping[str, bool], Collection[str]]
"""The runs that were renewed, and whether somebody asked to cancel them; and all that were to be."""

_RENEW = """
    UPDATE runs SET lease_until = ? FROM json_each(?) AS held
    WHERE runs.run_id = held.key AND runs.epoch = held.value AND runs.status = 'running'
    RETURNING runs.run_id, runs.cancel
"""

_GIVE_UP = """
    UPDATE runs SET owner_host = NULL, owner_pid = NULL, owner_started = NULL, owner_name = NULL, lease_until = ?
    FROM json_each(?) AS held
    WHERE runs.run_id = held.key AND runs.epoch = held.value AND runs.status = 'running'
"""


def renew(connection: sqlite3.Connection, leases: Leases, now: float) -> Renewed:
    """Renew the leases of all runs."""
    held = leases.held
    renewed = connection.execute(_RENEW, (now + leases.length, json.dumps(held))).fetchall()
    return {run_id: bool(asked) for run_id, asked in renewed}, held


def give_up(connection: sqlite3.Connection, leases: Leases, now: float) -> None:
    """End all leases, so that any other owner can claim the runs at once."""
    connection.execute(_GIVE_UP, (now, json.dumps(leases.held)))
    leases.clear()
