"""Replaces an agent's deps, model or store for the runs inside a block, whatever those runs are given."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Generic

from typing_extensions import TypedDict, TypeVar

from agentgraph.model import Model
from agentgraph.models import KnownModelName

from .options import RunOptions, StoreLike

__all__ = ["Override", "Overrides"]

DepsT = TypeVar("DepsT", default=None)


class Overrides(TypedDict, Generic[DepsT], total=False):
    """The keywords of `Agent.override`."""

    deps: DepsT
    """The deps of every run inside the block."""
    model: Model | KnownModelName | str
    """The model of every run inside the block."""
    store: StoreLike
    """Where every run inside the block is kept."""


class Override(Generic[DepsT]):
    """What is overridden for one agent, where the code runs now: tasks and threads outside the block see none of it."""

    def __init__(self) -> None:
        self._now: ContextVar[Overrides[Any]] = ContextVar("_now", default=Overrides())  # noqa: B039 - never changed

    @contextmanager
    def set(self, overrides: Overrides[DepsT]) -> Generator[None]:
        """Put `overrides` over those of the blocks around.

        Raises:
            TypeError: there is nothing of that name to override.
        """
        unknown = overrides.keys() - Overrides.__annotations__.keys()
        if unknown:
            message = (
                f"an agent has nothing to override named {', '.join(sorted(unknown))}; "
                f"there are {', '.join(Overrides.__annotations__)}"
            )
            raise TypeError(message)
        token = self._now.set({**self._now.get(), **overrides})
        try:
            yield
        finally:
            self._now.reset(token)

    def over(self, options: RunOptions[DepsT]) -> RunOptions[DepsT]:
        """The options of a run, with what is overridden now."""
        now = self._now.get()
        return {**options, **now} if now else options
