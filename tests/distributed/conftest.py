"""Databases for the tests of dispatching; DBOS is asyncio's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .fleet import database
from .jobs import MARKS


@pytest.fixture
def url() -> Iterator[str]:
    """A database that has all tables."""
    with database() as found:
        yield found


@pytest.fixture(autouse=True)
def marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that jobs leave their marks in."""
    path = tmp_path / "marks"
    monkeypatch.setenv(MARKS, str(path))
    return path
