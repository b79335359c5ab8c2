"""How much a model should think: a budget in tokens where an effort was given."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["budget_of"]

BUDGETS: Mapping[object, int] = {"low": 2048, "medium": 8192, "high": 24576}


def budget_of(asked: object) -> object:
    """The tokens that an effort stands for; anything else is handed back, for the service to judge."""
    return asked if isinstance(asked, int) else BUDGETS.get(asked, asked)
