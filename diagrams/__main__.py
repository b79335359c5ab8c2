"""Writes all diagrams into this folder: `python -m diagrams`."""

from __future__ import annotations

from pathlib import Path

from . import write

write(Path(__file__).resolve().parent)
