"""What a call of a tool comes to, as the journal keeps it; and who answers calls instead of their tools, in tests."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from agentgraph.messages import RetryPromptPart, ToolReturnPart
from agentgraph.tools import Tool
from agentgraph.usage import Usage

from .decide import Call

__all__ = ["Answer", "CallOutcome", "StandIn", "answer_instead", "answered_by", "outcomes"]

Answer = ToolReturnPart | RetryPromptPart
"""What a call is answered with."""


@dataclass(slots=True)
class CallOutcome:
    """What the journal keeps of a call. Never changed; not frozen, since each call makes one."""

    part: Annotated[Answer, Field(discriminator="part_kind")]
    usage: Usage | None = None
    """What the call added to the run's usage, by agents that it ran."""


StandIn = Callable[[str, Call, Tool[Any]], CallOutcome | None]
"""Answers a call of the run with this id, whose tool is then neither called nor asked about; None: the tool answers."""

_stand_in: ContextVar[StandIn | None] = ContextVar("_stand_in", default=None)


@contextmanager
def answered_by(stand_in: StandIn) -> Generator[None]:
    """Let `stand_in` answer calls of function tools in the runs inside the block, its tasks and threads included."""
    token = _stand_in.set(stand_in)
    try:
        yield
    finally:
        _stand_in.reset(token)


def answer_instead(run_id: str, call: Call, tool: Tool[Any]) -> CallOutcome | None:
    """What a call is answered with where somebody stands in for its tool."""
    instead = _stand_in.get()
    return None if instead is None else instead(run_id, call, tool)


@cache
def outcomes() -> TypeAdapter[CallOutcome]:
    """Writes and reads outcomes; built at its first use."""
    return TypeAdapter(CallOutcome)
