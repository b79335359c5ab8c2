"""Prefixes of model names that a program adds to those of this package."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from agentgraph.exceptions import UserError
from agentgraph.model import Model

from .names import protocols

__all__ = ["MakeModel", "made_by", "prefixes", "register_models"]

MakeModel: TypeAlias = Callable[[str], Model]
"""From a model's name, without its prefix, to the model."""

_makers: dict[str, MakeModel] = {}


def register_models(prefix: str, make: MakeModel) -> None:
    """Let `prefix:name` name a model of your own in this process, wherever a model is given by name.

    Runs keep the names of their models, so a process that resumes one registers them too. The same prefix again
    replaces what was there.

    Args:
        prefix: what the names begin with.
        make: takes what follows the colon; a model class whose first parameter is the model's name will do.

    Raises:
        UserError: the prefix is one of agentgraph's own, or none.
    """
    if prefix in {"test", *protocols()}:
        raise UserError(f"the prefix {prefix!r} is one of agentgraph's own: take another one")
    if not prefix or ":" in prefix:
        raise UserError(f"{prefix!r} is no prefix: it has to be a word without a colon")
    _makers[prefix] = make


def made_by(prefix: str) -> MakeModel | None:
    """What makes the models of this prefix; None if nobody registered it."""
    return _makers.get(prefix)


def prefixes() -> list[str]:
    """All prefixes that there are."""
    return sorted({*protocols(), *_makers})
