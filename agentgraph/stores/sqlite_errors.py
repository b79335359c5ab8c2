"""What SQLite and the operating system say, turned into a `StoreError` that names the file and the way out."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from agentgraph.exceptions import StoreError

__all__ = ["cannot_open", "cannot_read", "cannot_write", "check_version", "is_busy", "read_only"]

_REASONS: Mapping[str, tuple[str, str]] = {
    "BUSY": ("another process keeps it locked", "find out which process writes so long, or raise `busy_timeout`"),
    "LOCKED": ("another connection keeps it locked", "try again"),
    "READONLY": ("it is read-only for this user", "give this user write permission to the file and its folder"),
    "PERM": ("this user has no permission", "give this user write permission to the file and its folder"),
    "CANTOPEN": ("this user cannot open or create it", "give a file in a folder that this user can write to"),
    "FULL": ("the disk is full", "free some space"),
    "NOTADB": ("it is no SQLite database", "give another path; this file was not touched"),
    "CORRUPT": ("it is damaged", "restore it from a copy, or try `sqlite3 FILE .recover`"),
    "IOERR": ("the disk failed to read or write", "look at the disk and at the system's log"),
}
"""By the word behind `SQLITE_` in an error's name: what is wrong, and what to do."""

_NEEDED = (3, 35)
"""`RETURNING` and `UPDATE FROM`."""


def check_version(found: tuple[int, ...]) -> None:
    """Refuse a SQLite library that cannot do what the store needs.

    Raises:
        StoreError: it is too old.
    """
    if found < _NEEDED:
        have, need = (".".join(map(str, version)) for version in (found, _NEEDED))
        raise StoreError(f"this Python has SQLite {have}, the store needs {need}; use a Python with a newer one")


def cannot_open(path: Path, error: OSError | sqlite3.Error) -> StoreError:
    """Why a file cannot be opened as a store."""
    if isinstance(error, FileNotFoundError):
        return StoreError(f"{path} cannot be opened: there is no folder {path.parent}; create it or give another path")
    if isinstance(error, OSError):
        reason = error.strerror or str(error)
        return StoreError(f"{path} cannot be created: {reason}; give a file in a folder that this user can write to")
    if path.is_dir():
        return StoreError(f"{path} cannot be opened: it is a folder; give the path of a file")
    what, way_out = _explain(error)
    return StoreError(f"{path} cannot be opened: {what}; {way_out}")


def read_only(path: Path) -> StoreError:
    """A file that this user may not write."""
    what, way_out = _REASONS["READONLY"]
    return StoreError(f"{path} cannot be opened: {what}; {way_out}")


def cannot_read(path: Path, error: sqlite3.Error) -> StoreError:
    """Why a file that was opened cannot be read."""
    what, way_out = _explain(error)
    return StoreError(f"{path} cannot be read: {what}; {way_out}")


def cannot_write(path: Path, error: sqlite3.Error, run_id: str, seq: int | None) -> StoreError:
    """Why a write failed, and where its run stands: before step `seq`, or as it was where that is None."""
    what, way_out = _explain(error)
    stands = "as it was" if seq is None else f"before step {seq}"
    failure = StoreError(
        f"{path} cannot be written: {what}. Nothing was written: run {run_id!r} stands {stands}; "
        f"{way_out}, then go on with `resume={run_id!r}`"
    )
    failure.run_id = run_id
    return failure


def is_busy(error: BaseException) -> bool:
    """Whether another connection was in the way."""
    return isinstance(error, sqlite3.Error) and _word(error) == "BUSY"


def _word(error: sqlite3.Error) -> str:
    # Errors that Python's module raises by itself have no name. Extended codes read SQLITE_IOERR_WRITE and the like.
    name: str = getattr(error, "sqlite_errorname", "")
    return name.removeprefix("SQLITE_").partition("_")[0]


def _explain(error: sqlite3.Error) -> tuple[str, str]:
    return _REASONS.get(_word(error), (f"SQLite says {str(error)!r}", "see the error it was raised from"))
