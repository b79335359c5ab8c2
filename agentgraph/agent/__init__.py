"""Agents: models with tools and typed results, run as graphs whose every step is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentgraph.late import late_names

from .agent import Agent
from .answers import ToolApproved, ToolDenied, ToolRequest, ToolValue
from .capture import capture_run_messages
from .config import EndStrategy, RunConfig
from .events import AgentEvent, CallEnded, CallStarted, ReplyStarted, RequestEnded, RequestStarted
from .nodes import HandleResponseNode, ModelRequestNode, UserPromptNode
from .options import RunOptions
from .override import Overrides
from .result import AgentRunResult
from .run import AgentRun
from .settings import AgentOptions
from .setup import agent_graph
from .state import AgentState, FinalResult
from .streamed import StreamedRunResult
from .streaming import AgentStream

if TYPE_CHECKING:
    from .following import AgentRunEvent, CallAnswered, MessageAdded, MessagesCut
    from .pictures import agent_run_picture

__all__ = [
    "Agent",
    "AgentEvent",
    "AgentOptions",
    "AgentRun",
    "AgentRunEvent",
    "AgentRunResult",
    "AgentState",
    "AgentStream",
    "CallAnswered",
    "CallEnded",
    "CallStarted",
    "EndStrategy",
    "FinalResult",
    "HandleResponseNode",
    "MessageAdded",
    "MessagesCut",
    "ModelRequestNode",
    "Overrides",
    "ReplyStarted",
    "RequestEnded",
    "RequestStarted",
    "RunConfig",
    "RunOptions",
    "StreamedRunResult",
    "ToolApproved",
    "ToolDenied",
    "ToolRequest",
    "ToolValue",
    "UserPromptNode",
    "agent_graph",
    "agent_run_picture",
    "capture_run_messages",
]

if not TYPE_CHECKING:
    # Where that lives which a run does without: what is told to its followers, and pictures. Loads on first use.
    __getattr__ = late_names(
        __name__,
        {
            "AgentRunEvent": ".following",
            "CallAnswered": ".following",
            "MessageAdded": ".following",
            "MessagesCut": ".following",
            "agent_run_picture": ".pictures",
        },
    )
