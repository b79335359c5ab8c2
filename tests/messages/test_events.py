from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from agentgraph.messages import (
    AgentStreamEvent,
    FinalResultEvent,
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    HandleResponseEvent,
    PartStartEvent,
    RetryPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
)


def test_a_call_event_has_the_calls_id() -> None:
    assert FunctionToolCallEvent(ToolCallPart("f", {}, "c1")).call_id == "c1"
    assert FunctionToolCallEvent(ToolCallPart("f", {}, "c1"), "mine").call_id == "mine"


def test_calls_without_an_id_are_told_apart() -> None:
    part = ToolCallPart("f", {})
    assert FunctionToolCallEvent(part).call_id != FunctionToolCallEvent(part).call_id


@pytest.mark.parametrize(
    "event",
    [
        FunctionToolCallEvent(ToolCallPart("f", {})),
        FunctionToolResultEvent(ToolReturnPart("f", 1), "c"),
        FunctionToolResultEvent(RetryPromptPart("no"), "c"),
    ],
)
def test_tool_events_survive_json(event: HandleResponseEvent) -> None:
    adapter: TypeAdapter[HandleResponseEvent] = TypeAdapter(HandleResponseEvent)
    assert adapter.validate_json(adapter.dump_json(event)) == event


@pytest.mark.parametrize("event", [FinalResultEvent(None, None), PartStartEvent(0, TextPart("a"))])
def test_stream_events_survive_json(event: AgentStreamEvent) -> None:
    adapter: TypeAdapter[AgentStreamEvent] = TypeAdapter(AgentStreamEvent)
    assert adapter.validate_json(adapter.dump_json(event)) == event
