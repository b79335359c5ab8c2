"""Draws what the code says of itself: `make diagrams` writes the `.mmd` and `.svg` files here, nobody else does."""

from __future__ import annotations

from .drawings import write

__all__ = ["write"]
