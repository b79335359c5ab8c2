from __future__ import annotations

from copy import deepcopy

from hypothesis import given, strategies as st

from agentgraph.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    NativeToolCallPart,
    NativeToolReturnPart,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from agentgraph.models.transcript import answers_call, transcript


def user(text: str = "Hello") -> ModelRequest:
    return ModelRequest([UserPromptPart(text)])


def texts(messages: list[ModelMessage]) -> list[str]:
    """The conversation in short."""
    return [_short(part) for message in messages for part in message.parts]


def _short(part: ModelRequestPart | ModelResponsePart) -> str:
    match part:
        case NativeToolCallPart() | NativeToolReturnPart():
            return f"native {part.tool_call_id}"
        case ToolCallPart():
            return f"call {part.tool_call_id}"
        case ToolReturnPart():
            return f"return {part.tool_call_id}"
        case RetryPromptPart() if part.tool_name is not None:
            return f"retry {part.tool_call_id}"
        case _:
            return str(part.content)


def test_a_settled_conversation_stays_as_it_is() -> None:
    call, answer = ToolCallPart("f", "{}", "a"), ToolReturnPart("f", 1, "a")
    messages: list[ModelMessage] = [user(), ModelResponse([TextPart("Hm"), call]), ModelRequest([answer]), user("so?")]
    assert transcript(messages) == messages


def test_calls_without_answers_are_left_out() -> None:
    reply = ModelResponse([ToolCallPart("f", "{}", "a"), TextPart("Hm"), ToolCallPart("f", "{}", "b")])
    messages: list[ModelMessage] = [user(), reply, ModelRequest([ToolReturnPart("f", 1, "b")]), ModelResponse([])]
    assert texts(transcript(messages)) == ["Hello", "Hm", "call b", "return b"]


def test_a_reply_of_unanswered_calls_is_left_out() -> None:
    messages: list[ModelMessage] = [user(), ModelResponse([ToolCallPart("f", "{}", "a")]), user("Again")]
    assert texts(transcript(messages)) == ["Hello", "Again"]


def test_missing_ids_are_made_of_the_place_in_the_history() -> None:
    calls: list[ModelResponsePart] = [ToolCallPart("f", "{}"), ToolCallPart("g", "{}")]
    answers: list[ModelRequestPart] = [ToolReturnPart("g", 2), RetryPromptPart("no", tool_name="f")]
    messages: list[ModelMessage] = [user(), ModelResponse(calls), ModelRequest(answers)]
    settled = texts(transcript(messages))
    assert settled == ["Hello", "call call_1_0", "call call_1_1", "return call_1_1", "retry call_1_0"]
    assert settled == texts(transcript([*messages, ModelResponse([TextPart("Done")])]))[:-1]


def test_equal_ids_within_a_reply_are_told_apart() -> None:
    calls: list[ModelResponsePart] = [ToolCallPart("f", "{}", "a"), ToolCallPart("f", "{}", "a")]
    messages: list[ModelMessage] = [
        ModelResponse(calls),
        ModelRequest([ToolReturnPart("f", 1, "a"), ToolReturnPart("f", 2, "a")]),
    ]
    assert texts(transcript(messages)) == ["call a", "call call_0_1", "return a", "return call_0_1"]


def test_ids_that_a_service_counts_anew_in_each_reply_are_told_apart() -> None:
    turn: list[ModelMessage] = [
        ModelResponse([ToolCallPart("f", "{}", "call_0")]),
        ModelRequest([ToolReturnPart("f", 1, "call_0")]),
    ]
    assert texts(transcript([*turn, *turn])) == ["call call_0", "return call_0", "call call_2_0", "return call_2_0"]


def test_answers_may_come_in_several_requests() -> None:
    calls: list[ModelResponsePart] = [ToolCallPart("f", "{}", "a"), ToolCallPart("f", "{}", "b")]
    requests = [ModelRequest([ToolReturnPart("f", 1, "b")]), user(), ModelRequest([ToolReturnPart("f", 1, "a")])]
    assert texts(transcript([ModelResponse(calls), *requests])) == ["call a", "call b", "return b", "Hello", "return a"]


def test_answers_to_no_call_are_said_by_the_user() -> None:
    messages: list[ModelMessage] = [
        ModelRequest([ToolReturnPart("f", {"x": 1}, "a"), SystemPromptPart("Be kind.")]),
        ModelResponse([TextPart("Hm")]),
        ModelRequest([RetryPromptPart("no such city", tool_name="f", tool_call_id="a")]),
    ]
    said = texts(transcript(messages))
    assert said[0] == "The tool 'f' returned: {\"x\":1}"
    assert said[3].startswith("no such city")


def test_an_interrupted_reply_stays_if_the_user_goes_on() -> None:
    cut = ModelResponse([TextPart("I wa"), ToolCallPart("f", "{", "a")], state="interrupted")
    assert texts(transcript([user(), cut, user("Go on")])) == ["Hello", "I wa", "Go on"]


def test_thoughts_end_no_reply_that_was_cut_off() -> None:
    thought = ThinkingPart("hm", "t1", "sealed")
    only = ModelResponse([thought, ToolCallPart("f", "{", "a")], state="interrupted")
    assert texts(transcript([user(), only, user("Go on")])) == ["Hello", "Go on"]
    after = ModelResponse([thought, TextPart("I wa"), thought], state="interrupted")
    assert texts(transcript([user(), after, user("Go on")])) == ["Hello", "hm", "I wa", "Go on"]


def test_thoughts_go_with_the_calls_that_they_led_to() -> None:
    reply = ModelResponse([ThinkingPart("hm"), ToolCallPart("f", "{}", "a")])
    assert texts(transcript([user(), reply, user("Again")])) == ["Hello", "Again"]
    whole = ModelResponse([TextPart("Hi"), ThinkingPart("hm")])
    assert texts(transcript([user(), whole, user("Again")])) == ["Hello", "Hi", "hm", "Again"]


def test_an_interrupted_reply_is_left_out_if_it_was_asked_for_again() -> None:
    cut = ModelResponse([TextPart("I wa")], state="interrupted")
    again: list[ModelMessage] = [ModelResponse([TextPart("I was")]), user("Go on")]
    assert texts(transcript([user(), cut, *again])) == ["Hello", "I was", "Go on"]
    assert texts(transcript([user(), cut])) == ["Hello"]


ids = st.sampled_from([None, "", "a", "call_0_1", "call_1_0"])
names = st.sampled_from(["f", "g"])
request_parts = st.one_of(
    st.builds(UserPromptPart, st.just("hi")),
    st.builds(ToolReturnPart, names, st.just(1), ids),
    st.builds(RetryPromptPart, st.just("no"), st.one_of(st.none(), names), ids),
)
reply_parts = st.one_of(st.builds(TextPart, st.just("hm")), st.builds(ToolCallPart, names, st.just("{}"), ids))
histories = st.lists(
    st.one_of(
        st.builds(ModelRequest, st.lists(request_parts, max_size=4)),
        st.builds(ModelResponse, st.lists(reply_parts, max_size=4), state=st.sampled_from(["complete", "interrupted"])),
    ),
    max_size=6,
)


def check_reply(reply: ModelResponse) -> list[str | None]:
    calls = [part.tool_call_id for part in reply.parts if isinstance(part, ToolCallPart)]
    assert reply.parts
    assert all(calls)
    assert len(set(calls)) == len(calls)
    return calls


@given(histories)
def test_every_call_has_one_answer_before_the_next_reply(history: list[ModelMessage]) -> None:
    before = deepcopy(history)
    open_calls: list[str | None] = []
    for message in transcript(history):
        if isinstance(message, ModelResponse):
            assert open_calls == []
            open_calls = check_reply(message)
            continue
        for part in filter(answers_call, message.parts):
            open_calls.remove(part.tool_call_id)
    assert open_calls == []
    assert history == before
