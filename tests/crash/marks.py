"""Marks that outlive a process: a tool leaves one when its work is done, as a payment would stay in another system."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

__all__ = ["leave_mark", "read_marks"]


def leave_mark(path: Path, name: str) -> None:
    """Write a mark that is on the disk when this returns."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, f"{name}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_marks(path: Path) -> Counter[str]:
    """How often each mark was left."""
    return Counter(path.read_text().splitlines()) if path.exists() else Counter()
