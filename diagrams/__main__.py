"""Writes all diagrams into this folder, and those of the manual into its own: `python -m diagrams`."""

from __future__ import annotations

from pathlib import Path

from . import write, write_examples

FOLDER = Path(__file__).resolve().parent

write(FOLDER)
write_examples(FOLDER.parent / "docs" / "pictures")
