"""A state-machine engine that stands on its own: typed nodes, checked graphs, runs that are stored step by step."""

from __future__ import annotations

from .appended import Appended
from .context import GraphRunContext
from .diagram import DiagramOptions
from .events import Emitted, Observer, RunEnded, RunEvent, RunStarted, StepEnded, StepStarted
from .graph import Graph
from .journal import Once
from .lifecycle import Status
from .node import BaseNode, Edge, End
from .options import GraphRunOptions
from .recorder import RunInfo
from .run import GraphRun, GraphRunResult
from .scheduler import Execution, Scheduler
from .store import Commit, JournalRecord, NewRun, Owner, RunFilter, RunRecord, Settlement, StepRecord, Store

__all__ = [
    "Appended",
    "BaseNode",
    "Commit",
    "DiagramOptions",
    "Edge",
    "Emitted",
    "End",
    "Execution",
    "Graph",
    "GraphRun",
    "GraphRunContext",
    "GraphRunOptions",
    "GraphRunResult",
    "JournalRecord",
    "NewRun",
    "Observer",
    "Once",
    "Owner",
    "RunEnded",
    "RunEvent",
    "RunFilter",
    "RunInfo",
    "RunRecord",
    "RunStarted",
    "Scheduler",
    "Settlement",
    "Status",
    "StepEnded",
    "StepRecord",
    "StepStarted",
    "Store",
]
