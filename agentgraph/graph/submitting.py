"""What can be submitted: runs that somebody creates, and somebody else executes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from .store import Dispatch, RunRecord, Store

__all__ = ["Submission", "Submittable"]

StartT_contra = TypeVar("StartT_contra", contravariant=True)


@dataclass(frozen=True, kw_only=True)
class Submission:
    """Where a run is to be created that somebody else executes."""

    store: Store
    dispatch: Dispatch


class Submittable(Protocol[StartT_contra]):
    """What can be submitted: a graph, an agent."""

    name: str | None
    """By which its runs know it."""

    async def __submit__(self, start: StartT_contra, to: Submission, options: Mapping[str, Any], /) -> RunRecord:
        """Create a run that begins with `start`, and leave it to who claims it.

        Raises:
            UserError: the options do not go together, or need what is not stored.
            RunExists, RunNotFound, RunBusy, StoreError: see `Store.create`.
        """
        ...
