"""A state-machine engine that stands on its own: typed nodes, checked graphs, runs that are stored step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentgraph.late import late_names

from .appended import Appended
from .below import Place, RunsBelow, cancel_tree, check_asked, find_child, once_free
from .claiming import Ended, RunInfo
from .context import GraphRunContext
from .dispatched import Dispatched, DispatchEvent, HandedOn, Recovered, Submitted
from .events import Emitted, Observer, RunEnded, RunEvent, RunStarted, StepEnded, StepStarted
from .execution import Execution
from .graph import Graph
from .interruption import Deadline, Interruption, absolute_deadline
from .journal import AfterCrash, Once
from .lifecycle import Status
from .lineage import fork, lineage
from .node import BaseNode, BranchError, Edge, End, Fork, Join
from .options import GraphRunOptions
from .problems import Problem
from .questions import Question, open_questions, stage
from .rates import RateLimit
from .retrying import RetryPolicy
from .run import GraphRun, GraphRunResult
from .scheduler import Scheduler
from .store import (
    Alarm,
    BranchRecord,
    Changes,
    Commit,
    Dispatch,
    EventKind,
    EventRecord,
    JournalKind,
    JournalRecord,
    Lapsed,
    NewRun,
    Owner,
    RunFilter,
    RunReader,
    RunRecord,
    Settlement,
    Signal,
    StepRecord,
    Store,
    StoredRun,
)
from .submitting import Submission, Submittable
from .upgrades import Upgrade, Upgrades

if TYPE_CHECKING:
    from .diagram import DiagramOptions
    from .following import Followed, Follower, ListChange, Stepped, Tells, TextAdded, ToldEvent, Until, follow
    from .picture import Picture
    from .run_picture import run_picture

__all__ = [
    "AfterCrash",
    "Alarm",
    "Appended",
    "BaseNode",
    "BranchError",
    "BranchRecord",
    "Changes",
    "Commit",
    "Deadline",
    "DiagramOptions",
    "Dispatch",
    "DispatchEvent",
    "Dispatched",
    "Edge",
    "Emitted",
    "End",
    "Ended",
    "EventKind",
    "EventRecord",
    "Execution",
    "Followed",
    "Follower",
    "Fork",
    "Graph",
    "GraphRun",
    "GraphRunContext",
    "GraphRunOptions",
    "GraphRunResult",
    "HandedOn",
    "Interruption",
    "Join",
    "JournalKind",
    "JournalRecord",
    "Lapsed",
    "ListChange",
    "NewRun",
    "Observer",
    "Once",
    "Owner",
    "Picture",
    "Place",
    "Problem",
    "Question",
    "RateLimit",
    "Recovered",
    "RetryPolicy",
    "RunEnded",
    "RunEvent",
    "RunFilter",
    "RunInfo",
    "RunReader",
    "RunRecord",
    "RunStarted",
    "RunsBelow",
    "Scheduler",
    "Settlement",
    "Signal",
    "Status",
    "StepEnded",
    "StepRecord",
    "StepStarted",
    "Stepped",
    "Store",
    "StoredRun",
    "Submission",
    "Submittable",
    "Submitted",
    "Tells",
    "TextAdded",
    "ToldEvent",
    "Until",
    "Upgrade",
    "Upgrades",
    "absolute_deadline",
    "cancel_tree",
    "check_asked",
    "find_child",
    "follow",
    "fork",
    "lineage",
    "once_free",
    "open_questions",
    "run_picture",
    "stage",
]

if not TYPE_CHECKING:
    # Where that lives which a run does without: pictures, and following what a run tells. Loads on first use.
    __getattr__ = late_names(
        __name__,
        {
            "DiagramOptions": ".diagram",
            "Followed": ".following",
            "Follower": ".following",
            "ListChange": ".following",
            "Picture": ".picture",
            "Stepped": ".following",
            "Tells": ".following",
            "TextAdded": ".following",
            "ToldEvent": ".following",
            "Until": ".following",
            "follow": ".following",
            "run_picture": ".run_picture",
        },
    )
