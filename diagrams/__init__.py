"""Draws what the code says of itself: `make diagrams` writes the files here and those of `docs/pictures`."""

from __future__ import annotations

from .drawings import write, write_examples

__all__ = ["write", "write_examples"]
