"""How much a model should think: an effort where a budget was given."""

from __future__ import annotations

__all__ = ["effort_of"]

LOW_BUDGET, MEDIUM_BUDGET = 4096, 16384
"""Tokens of thinking below which the effort is low or medium."""


def effort_of(asked: object) -> object:
    """The effort that a budget in tokens stands for; anything else is handed back, for the service to judge."""
    if not isinstance(asked, int):
        return asked
    if asked < LOW_BUDGET:
        return "low"
    return "medium" if asked < MEDIUM_BUDGET else "high"
