"""Where the runs of a scenario are kept: a place of its own for each, opened anew by each process."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import TypeAlias

from agentgraph.graph import Store
from agentgraph.stores import MemoryStore, SQLiteStore

__all__ = ["OpenStore", "in_memory", "sqlite_in"]

OpenStore: TypeAlias = Callable[[int], Store]
"""Opens place number n: empty at first, and again what it was after the store that was there is closed."""


def in_memory() -> OpenStore:
    """In this process's memory."""
    stores: dict[int, MemoryStore] = {}
    return lambda place: stores.setdefault(place, MemoryStore())


def sqlite_in(folder: str | PathLike[str]) -> OpenStore:
    """In SQLite files in an empty folder, such as pytest's `tmp_path`."""
    return lambda place: SQLiteStore(Path(folder) / f"crash-{place}.db", synchronous="NORMAL")
