"""The stores: where runs are kept. All keep the port of `agentgraph.graph.store`.

Only SQLite loads `sqlite3`, only PostgreSQL `psycopg`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .memory import MemoryStore
    from .opening import open_store
    from .postgres import PostgresStore
    from .sqlite import SQLiteStore

__all__ = ["MemoryStore", "PostgresStore", "SQLiteStore", "open_store"]

_MODULES = {
    "MemoryStore": ".memory",
    "PostgresStore": ".postgres",
    "SQLiteStore": ".sqlite",
    "open_store": ".opening",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(_MODULES[name], __name__), name)
    globals()[name] = found
    return found
