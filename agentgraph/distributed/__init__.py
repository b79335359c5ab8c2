"""Runs that are executed elsewhere: submitted here, served by this process or by the workers of many machines.

dispatcher = open_dispatcher("runs.db")            # later: "postgresql://…"
run_id = await dispatcher.submit(support, "Refund order 17")
await dispatcher.serve([support])                  # here, or in workers: `agentgraph worker`
"""

from __future__ import annotations

from .dbos_dispatcher import DBOSDispatcher
from .health import Health, tell_health
from .limits import Limits, Rate
from .local import LocalDispatcher
from .opening import open_dispatcher
from .port import Dispatcher, Serveable, ServeOptions, SubmitOptions
from .served import Served
from .states import FleetState, Load, QueueState, WorkerState

__all__ = [
    "DBOSDispatcher",
    "Dispatcher",
    "FleetState",
    "Health",
    "Limits",
    "Load",
    "LocalDispatcher",
    "QueueState",
    "Rate",
    "ServeOptions",
    "Serveable",
    "Served",
    "SubmitOptions",
    "WorkerState",
    "open_dispatcher",
    "tell_health",
]
