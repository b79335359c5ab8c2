"""Recorded traffic of real services, which is kept beside the repository and not in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


def shared(name: str) -> Path:
    """The file or folder `name` in AGENTGRAPH_SHARED, else in `shared` beside the repository; skips if it is absent."""
    folder = Path(os.environ.get("AGENTGRAPH_SHARED") or REPOSITORY.parent / "shared")
    path = folder / name
    if not path.exists():
        pytest.skip(f"there is no {path.name} among the recordings; AGENTGRAPH_SHARED names the folder that holds them")
    return path
