"""What a run of a graph can be given."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any, Generic

from typing_extensions import TypedDict, TypeVar

from .events import Observer
from .interruption import Deadline
from .node import BaseNode
from .scheduler import Scheduler
from .store import Store

__all__ = ["GraphRunOptions"]

StateT = TypeVar("StateT", default=None)
DepsT = TypeVar("DepsT", default=None)


class GraphRunOptions(TypedDict, Generic[StateT, DepsT], total=False):
    """The keywords of `Graph.run`, `run_sync` and `iter`."""

    state: StateT
    """What the nodes share and change; None by default."""
    deps: DepsT
    """What the nodes need and do not change; never stored. None by default."""
    infer_name: bool
    """Whether a graph without a name takes that of the variable which holds it; True by default."""
    store: Store | str | PathLike[str] | None
    """Where to keep the run: a store, or what `open_store` takes. By default nothing is kept."""
    run_id: str | None
    """The id of the new run; made up by default."""
    resume: str | None
    """The id of a run to go on with, instead of a start node."""
    scheduler: Scheduler | None
    """How the run is executed, instead of `store`: where it is kept, by which clock, and beside how many others."""
    deadline: Deadline | None
    """When the run has to be done: an aware `datetime`, or seconds from now. Over it the run fails with
    `DeadlineExceeded`. It is stored, and holds for whoever resumes the run unless given anew."""
    break_before: Sequence[type[BaseNode[Any, Any, Any]]]
    """Breakpoints: before a node of these classes takes its turn the run stops, `pending` and released, and goes past
    when it is resumed. `run` then raises `RunPaused`, an iteration ends. They hold for this call, and need a store."""
    observers: Sequence[Observer]
    """Called with each event of the run."""
