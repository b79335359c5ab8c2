"""`open_store`: one string, one store; a file, or the schema of a database, is opened once in a process."""

from __future__ import annotations

import os
import threading
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from weakref import WeakValueDictionary

from agentgraph.exceptions import UserError
from agentgraph.graph.store import Store

if TYPE_CHECKING:
    from .postgres import PostgresStore
    from .sqlite import SQLiteStore

__all__ = ["open_store"]

_Identity = tuple[int, int, int]
"""Process, device and file number: a path can be another file than it was, and a fork must open its own."""

_open: WeakValueDictionary[_Identity, SQLiteStore] = WeakValueDictionary()
_open_databases: WeakValueDictionary[tuple[int, str, str], PostgresStore] = WeakValueDictionary()
"""By process, URL and schema."""
_lock = threading.Lock()


def open_store(
    url: str | PathLike[str] | Store = ":memory:",
    *,
    lease: float = 15.0,
    synchronous: Literal["FULL", "NORMAL"] = "FULL",
    schema: str = "agentgraph",
) -> Store:
    """Open the store that `url` names.

    Args:
        url: The path of a SQLite file, `'postgresql://USER:PASSWORD@HOST:PORT/DATABASE'`, `':memory:'` for a new store
            in this process's memory, or a store, which is returned as it is. A file or database that is open in this
            process already is not opened again.
        lease: Seconds after which another process may take over a run whose owner is not heard of.
        synchronous: For a file or database: `FULL` survives a loss of power, `NORMAL` that of the process only.
        schema: For a database: the schema that holds the tables, and nothing else.

    Raises:
        StoreError: the file or database cannot be opened; says why and what to do.
        UserError: `url` names no store, it is open with other settings, or psycopg is not installed.
    """
    if not isinstance(url, str | PathLike):
        return url
    text = os.fspath(url)
    if text == ":memory:":
        from .memory import MemoryStore

        return MemoryStore()
    scheme, mark, _ = text.partition("://")
    if mark and isinstance(url, str):
        if scheme in ("postgres", "postgresql"):
            return _open_database(text, schema, lease, synchronous)
        raise UserError(
            f"a store at {scheme}://… is not known; give the path of a file, postgresql://HOST/DATABASE, or ':memory:'"
        )
    return _open_file(Path(os.path.realpath(text)), lease, synchronous)


def _open_file(path: Path, lease: float, synchronous: Literal["FULL", "NORMAL"]) -> SQLiteStore:
    from .sqlite import SQLiteStore

    with _lock:
        store = _find(path)
        if store is None:
            store = SQLiteStore(path, lease=lease, synchronous=synchronous)
            _open[_identity(path)] = store
        elif store.settings[:2] != (lease, synchronous):
            raise _other_settings(path, store.settings[0], store.settings[1])
        return store


def _open_database(url: str, schema: str, lease: float, synchronous: Literal["FULL", "NORMAL"]) -> PostgresStore:
    try:
        from .postgres import PostgresStore
    except ImportError as error:
        raise UserError(
            "a store in PostgreSQL needs psycopg, which cannot be imported; pip install 'agentgraph[postgres]'"
        ) from error

    with _lock:
        identity = (os.getpid(), url, schema)
        store = _open_databases.get(identity)
        if store is None or store.closed:
            store = PostgresStore(url, schema=schema, lease=lease, synchronous=synchronous)
            _open_databases[identity] = store
        elif store.settings[:2] != (lease, synchronous):
            raise _other_settings(store.place, store.settings[0], store.settings[1])
        return store


def _other_settings(place: object, lease: float, synchronous: str) -> UserError:
    has = f"lease={lease:g} and synchronous={synchronous!r}"
    return UserError(f"{place} is open in this process with {has}; give the same settings, or close it before")


def _find(path: Path) -> SQLiteStore | None:
    try:
        store = _open.get(_identity(path))
    except OSError:
        return None
    return None if store is None or store.closed else store


def _identity(path: Path) -> _Identity:
    found = path.stat()
    return os.getpid(), found.st_dev, found.st_ino
