"""The keywords of an agent's doors: each is described once, here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, Generic

from typing_extensions import TypedDict, TypeVar

from agentgraph.context import RunContext
from agentgraph.graph import BaseNode, Deadline, Scheduler, Store
from agentgraph.messages import ModelMessage
from agentgraph.model import Model
from agentgraph.models import KnownModelName
from agentgraph.settings import ModelSettings
from agentgraph.usage import Usage, UsageLimits

__all__ = ["RUN_DEFAULTS", "RunOptions", "StoreLike"]

DepsT = TypeVar("DepsT", default=None)

StoreLike = Store | str | PathLike[str]
"""A store, or what `open_store` takes."""


class RunOptions(TypedDict, Generic[DepsT], total=False):
    """The keywords of `Agent.run`, `run_sync`, `run_stream` and `iter`, beside `result_type`."""

    message_history: list[ModelMessage] | None
    """The conversation so far. Static system prompts are not added to one, dynamic ones in it are made anew."""
    model: Model | KnownModelName | str | None
    """The model of this run; by default the agent's."""
    deps: DepsT
    """Handed to tools, prompts and validators through their `RunContext`; never stored."""
    model_settings: ModelSettings | None
    """Settings of this run, merged over the agent's."""
    usage_limits: UsageLimits | None
    """How much the run may use; by default 50 requests."""
    usage: Usage | None
    """Usage to start from. It is added to in place, so that several runs can share it."""
    infer_name: bool
    """Whether an agent without a name takes that of the variable which holds it; True by default."""
    run_id: str | None
    """The id of the new run; made up by default."""
    resume: str | None
    """The id of a run to go on with, instead of a prompt."""
    answers: Mapping[str, Any] | None
    """With `resume`: the answers to calls that wait, by call id or by the key of their request: `ToolApproved`,
    `ToolDenied`, or what the call is to return."""
    conversation: str | None
    """The conversation that the run is the next turn of: it starts from the messages of the run before."""
    parent: RunContext[Any] | None
    """The context of the tool that runs this agent: the run is then a child of the tool's run, shares its store, usage
    and limits, and goes on with it when it is resumed."""
    key: str | None
    """With `parent`: tells the run from others that the same call starts at the same time."""
    deadline: Deadline | None
    """When the run has to be done: an aware `datetime`, or seconds from now. Over it the run fails with
    `DeadlineExceeded`; what it has done is kept. It holds for whoever resumes the run unless given anew."""
    break_before: Sequence[type[BaseNode[Any, Any, Any]]] | None
    """Breakpoints, such as `[HandleResponseNode]`: before a node of these classes takes its turn the run stops and is
    released, and goes past when it is resumed. An iteration ends there, the other doors raise `RunPaused`. They hold
    for this call."""
    store: StoreLike | None
    """Where the run is kept: a store, or what `open_store` takes; by default where the agent says."""
    scheduler: Scheduler | None
    """How the run is executed: by which clock, and beside how many others. Its store, if it has one, takes the place of
    `store`."""


RUN_DEFAULTS: RunOptions[None] = {
    "message_history": None,
    "model": None,
    "deps": None,
    "model_settings": None,
    "usage_limits": None,
    "usage": None,
    "infer_name": True,
    "run_id": None,
    "resume": None,
    "answers": None,
    "conversation": None,
    "parent": None,
    "key": None,
    "deadline": None,
    "break_before": None,
    "store": None,
    "scheduler": None,
}
"""What each option is where it is left out."""
