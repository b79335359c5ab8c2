"""What a reply asks for is read from its parts alone."""

from __future__ import annotations

from hypothesis import given, strategies as st

from agentgraph.agent.decide import CallKind, HandleCalls, NothingSaid, TakeText, decide
from agentgraph.messages import ModelResponse, ModelResponsePart, TextPart, ThinkingPart, ToolCallPart

FUNCTIONS, RESULTS = ["add", "look"], ["final_result"]

names = st.sampled_from(["add", "look", "final_result", "nowhere"])
parts = st.one_of(
    st.sampled_from(["", "a", "b"]).map(TextPart),
    st.builds(ThinkingPart, st.just("hm")),
    st.builds(ToolCallPart, names, st.just("{}")),
)


def decided(*parts: ModelResponsePart) -> object:
    return decide(ModelResponse(list(parts)), FUNCTIONS, RESULTS)


def test_text_may_be_the_result() -> None:
    assert decided(TextPart("yes")) == TakeText("yes")


def test_several_texts_are_joined_by_a_blank_line() -> None:
    assert decided(TextPart("one"), ThinkingPart("hm"), TextPart("two")) == TakeText("one\n\ntwo")


def test_an_empty_text_is_ignored() -> None:
    assert decided(TextPart(""), TextPart("two"), TextPart("")) == TakeText("two")


def test_neither_text_nor_calls_is_nothing() -> None:
    assert decided() == decided(TextPart("")) == decided(ThinkingPart("hm")) == NothingSaid()


def test_text_beside_a_call_is_not_the_result() -> None:
    calls = decided(TextPart("I look"), ToolCallPart("look", "{}"))
    assert isinstance(calls, HandleCalls)
    assert [call.part.tool_name for call in calls.calls] == ["look"]


def test_calls_are_told_apart_and_keep_their_places() -> None:
    parts = [ToolCallPart(name, "{}") for name in ("nowhere", "add", "final_result", "look")]
    calls = decided(*parts)
    assert isinstance(calls, HandleCalls)
    kinds = [CallKind.UNKNOWN, CallKind.FUNCTION, CallKind.RESULT, CallKind.FUNCTION]
    assert [(call.position, call.kind) for call in calls.calls] == list(enumerate(kinds))
    assert [call.position for call in calls.of(CallKind.FUNCTION)] == [1, 3]


def test_a_name_that_is_both_is_a_result_tool() -> None:
    calls = decide(ModelResponse([ToolCallPart("both", "{}")]), ["both"], ["both"])
    assert isinstance(calls, HandleCalls)
    assert calls.calls[0].kind is CallKind.RESULT


@given(st.lists(parts))
def test_every_call_is_handled_and_nothing_is_changed(said: list[ModelResponsePart]) -> None:
    reply = ModelResponse(list(said))
    decision = decide(reply, FUNCTIONS, RESULTS)
    calls = [part for part in said if isinstance(part, ToolCallPart)]
    assert reply.parts == said
    assert isinstance(decision, HandleCalls) == bool(calls)
    if isinstance(decision, HandleCalls):
        assert [call.part for call in decision.calls] == calls
