"""Steps through an agent's run and tells what happens, in events that can be shown here or sent to another process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter
from pydantic_core import to_json

from agentgraph.agent import Agent, AgentRun, HandleResponseNode, ModelRequestNode
from agentgraph.agent.run import AgentNode
from agentgraph.graph import End
from agentgraph.messages import (
    AgentStreamEvent,
    FunctionToolCallEvent,
    HandleResponseEvent,
    PartDeltaEvent,
    PartStartEvent,
    RetryPromptPart,
    TextPart,
    TextPartDelta,
)

__all__ = ["CallBegan", "CallEnded", "NodeBegan", "RunFinished", "TextCame", "WalkEvent", "walk", "walk_events"]


@dataclass(frozen=True, slots=True)
class NodeBegan:
    """A node's turn begins."""

    seq: int
    node: str
    attempt: int
    kind: Literal["node"] = "node"


@dataclass(frozen=True, slots=True)
class TextCame:
    """A piece of the model's text."""

    delta: str
    kind: Literal["text"] = "text"


@dataclass(frozen=True, slots=True)
class CallBegan:
    """A tool is called, or its outcome is taken from the journal."""

    call_id: str
    tool: str
    args: str
    """As JSON."""
    kind: Literal["call"] = "call"


@dataclass(frozen=True, slots=True)
class CallEnded:
    """A tool has answered."""

    call_id: str
    answer: str
    """As the model is told."""
    retry: bool = False
    """Whether it asks the model to try again."""
    kept: bool = False
    """Whether it is from the journal: an earlier attempt made the call, and this one did not."""
    kind: Literal["answer"] = "answer"


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The run has ended with a result."""

    result: str
    """Text as it is, anything else as JSON."""
    kind: Literal["finished"] = "finished"


WalkEvent = Annotated[NodeBegan | TextCame | CallBegan | CallEnded | RunFinished, Field(discriminator="kind")]

walk_events: TypeAdapter[WalkEvent] = TypeAdapter(WalkEvent)
"""Writes and reads events as JSON."""

Tell = Callable[[WalkEvent], None]


async def walk(run: AgentRun[Any, Any], tell: Tell, *, streamed: bool) -> None:
    """Take a run to its end. With `streamed` the model's text comes in pieces, else reply by reply.

    Raises:
        AgentRunError, Exception: as stepping through the run does.
    """
    async for node in run:
        if isinstance(node, End):
            data: object = node.data.data
            tell(RunFinished(data if isinstance(data, str) else to_json(data, fallback=str).decode()))
        else:
            tell(NodeBegan(run.ctx.seq, node.get_node_id(), run.ctx.attempt))
            await _tell_turn(run, node, tell, streamed=streamed)


async def _tell_turn(run: AgentRun[Any, Any], node: AgentNode[Any, Any], tell: Tell, *, streamed: bool) -> None:
    if streamed and Agent.is_model_request_node(node):
        await _tell_text(run, node, tell)
    elif Agent.is_handle_response_node(node):
        if not streamed:
            _tell_reply(node, tell)
        await _tell_calls(run, node, tell)


async def _tell_text(run: AgentRun[Any, Any], node: ModelRequestNode[Any, Any], tell: Tell) -> None:
    async with node.stream(run.ctx) as stream:
        async for event in stream:
            delta = _text_of(event)
            if delta:
                tell(TextCame(delta))


def _text_of(event: AgentStreamEvent) -> str:
    match event:
        case PartStartEvent(part=TextPart(content=content)):
            return content
        case PartDeltaEvent(delta=TextPartDelta(content_delta=content)):
            return content
        case _:
            return ""


def _tell_reply(node: HandleResponseNode[Any, Any], tell: Tell) -> None:
    for part in node.model_response.parts:
        if isinstance(part, TextPart) and part.content:
            tell(TextCame(part.content))


async def _tell_calls(run: AgentRun[Any, Any], node: HandleResponseNode[Any, Any], tell: Tell) -> None:
    begun = run.ctx.now()
    async with node.stream(run.ctx) as events:
        async for event in events:
            tell(_call_event(event, begun))


def _call_event(event: HandleResponseEvent, begun: datetime) -> WalkEvent:
    if isinstance(event, FunctionToolCallEvent):
        return CallBegan(event.call_id, event.part.tool_name, event.part.args_as_json_str())
    answer = event.result
    retry = isinstance(answer, RetryPromptPart)
    said = answer.model_response() if isinstance(answer, RetryPromptPart) else answer.model_response_str()
    # An answer that was given before this attempt began is from the journal.
    return CallEnded(event.tool_call_id, said, retry, kept=answer.timestamp < begun)
