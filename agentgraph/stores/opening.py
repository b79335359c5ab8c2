"""`open_store`: one string, one store; a file is opened once in a process."""

from __future__ import annotations

import os
import threading
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from weakref import WeakValueDictionary

from agentgraph.exceptions import UserError
from agentgraph.graph.store import Store

from .memory import MemoryStore

if TYPE_CHECKING:
    from .sqlite import SQLiteStore

__all__ = ["open_store"]

_Identity = tuple[int, int, int]
"""Process, device and file number: a path can be another file than it was, and a fork must open its own."""

_open: WeakValueDictionary[_Identity, SQLiteStore] = WeakValueDictionary()
_lock = threading.Lock()


def open_store(
    url: str | PathLike[str] | Store = ":memory:",
    *,
    lease: float = 15.0,
    synchronous: Literal["FULL", "NORMAL"] = "FULL",
) -> Store:
    """Open the store that `url` names.

    Args:
        url: The path of a SQLite file, `':memory:'` for a new store in this process's memory, or a store, which is
            returned as it is. A file that is open in this process already is not opened again.
        lease: Seconds after which another process may take over a run whose owner is not heard of.
        synchronous: For a file: `FULL` survives a loss of power, `NORMAL` that of the process only.

    Raises:
        StoreError: the file cannot be opened; says why and what to do.
        UserError: `url` names no store, or the file is open with other settings.
    """
    if not isinstance(url, str | PathLike):
        return url
    text = os.fspath(url)
    if text == ":memory:":
        return MemoryStore()
    scheme, mark, _ = text.partition("://")
    if mark and isinstance(url, str):
        what = "is not in this release yet" if scheme in ("postgres", "postgresql") else "is not known"
        raise UserError(f"a store at {scheme}://… {what}; give the path of a file, or ':memory:'")
    return _open_file(Path(os.path.realpath(text)), lease, synchronous)


def _open_file(path: Path, lease: float, synchronous: Literal["FULL", "NORMAL"]) -> SQLiteStore:
    from .sqlite import SQLiteStore

    with _lock:
        store = _find(path)
        if store is None:
            store = SQLiteStore(path, lease=lease, synchronous=synchronous)
            _open[_identity(path)] = store
        elif store.settings[:2] != (lease, synchronous):
            has = f"lease={store.settings[0]:g} and synchronous={store.settings[1]!r}"
            raise UserError(f"{path} is open in this process with {has}; give the same settings, or close it before")
        return store


def _find(path: Path) -> SQLiteStore | None:
    try:
        store = _open.get(_identity(path))
    except OSError:
        return None
    return None if store is None or store.closed else store


def _identity(path: Path) -> _Identity:
    found = path.stat()
    return os.getpid(), found.st_dev, found.st_ino
