"""What PostgreSQL and its driver say, turned into a `StoreError` that names the database and the way out.

A connection that fails has no code (`sqlstate`): its text comes from the driver, which never puts a password in it.
"""

from __future__ import annotations

from collections.abc import Mapping

import psycopg

from agentgraph.exceptions import StoreError

__all__ = ["cannot_open", "cannot_read", "cannot_write", "is_lost", "is_passing", "may_have_arrived"]

_REASONS: Mapping[str, tuple[str, str]] = {
    "53100": ("the server's disk is full", "free some space there"),
    "53300": ("the server has no connection left", "raise its `max_connections`, or open fewer stores"),
    "42501": ("this user has no permission", "grant this user all on the database's schema, or CREATE on the database"),
    "25006": ("the server only takes reads, as a standby does", "give the address of the primary"),
    "57014": ("the server cancelled the statement", "raise its `statement_timeout`"),
}
"""By code: what is wrong, and what to do."""

_LOST = frozenset({"25006", "57P01", "57P02", "57P03", "57P05"})
"""The server shuts down, starts, has become a standby or drops idle connections: a new connection may do."""

_PASSING = frozenset({"40001", "40P01", "53300"})
"""Another transaction was in the way, or too many clients are there: nothing was written, the same may work again."""


def is_lost(error: BaseException) -> bool:
    """Whether the connection is of no more use."""
    if not isinstance(error, psycopg.Error):
        return False
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return error.sqlstate in _LOST or error.sqlstate.startswith("08")


def may_have_arrived(error: BaseException) -> bool:
    """Whether what was sent last may have been committed although this was raised."""
    return isinstance(error, psycopg.Error) and is_lost(error) and error.sqlstate not in ("25006", "57P03")


def is_passing(error: BaseException) -> bool:
    """Whether the same may work in a moment."""
    return is_lost(error) or (isinstance(error, psycopg.Error) and error.sqlstate in _PASSING)


def cannot_open(place: str, error: psycopg.Error) -> StoreError:
    """Why a database cannot be opened as a store."""
    what, way_out = _explain(error)
    return StoreError(f"{place} cannot be opened: {what}; {way_out}")


def cannot_read(place: str, error: psycopg.Error) -> StoreError:
    """Why a database that was opened cannot be read."""
    what, way_out = _explain(error)
    return StoreError(f"{place} cannot be read: {what}; {way_out}")


def cannot_write(place: str, error: psycopg.Error, run_id: str, seq: int | None, *, unsure: bool) -> StoreError:
    """Why a write failed, and where its run stands: before step `seq`, or as it was where that is None.

    `unsure`: the connection was lost with the write on its way, and the server could not be asked since.
    """
    what, way_out = _explain(error)
    stands = "as it was" if seq is None else f"before step {seq}"
    if unsure:
        step = "the write" if seq is None else f"step {seq}"
        outcome = f"Whether {step} of run {run_id!r} was written is not known, the store has it whole or not at all"
    else:
        outcome = f"Nothing was written: run {run_id!r} stands {stands}"
    failure = StoreError(
        f"{place} cannot be written: {what}. {outcome}; {way_out}, then go on with `resume={run_id!r}`"
    )
    failure.run_id = run_id
    return failure


def _explain(error: psycopg.Error) -> tuple[str, str]:
    if error.sqlstate is None and is_lost(error):
        return f"it cannot be reached ({_one_line(error)})", "see that the server runs and that the URL is right"
    message = error.diag.message_primary or _one_line(error)
    return _REASONS.get(error.sqlstate or "", (f"PostgreSQL says {message!r}", "see the error it was raised from"))


def _one_line(error: psycopg.Error) -> str:
    return " ".join(str(error).split())
