"""How often the model is asked again, counted without any run."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from agentgraph import UnexpectedModelBehavior
from agentgraph.agent.retries import count_result_retry, count_tool_retries
from agentgraph.messages import RetryPromptPart, ToolReturnPart

Answer = ToolReturnPart | RetryPromptPart


def failed(name: str) -> Answer:
    return RetryPromptPart("try x=1", tool_name=name)


def returned(name: str) -> Answer:
    return ToolReturnPart(name, "fine")


def any_number(_: str) -> int:
    return 1000


def test_a_failed_call_counts_for_its_tool() -> None:
    assert count_tool_retries({}, [failed("a"), returned("b")], any_number) == {"a": 1}
    assert count_tool_retries({"a": 1, "b": 1}, [failed("a")], any_number) == {"a": 2, "b": 1}


def test_several_failed_calls_of_one_reply_count_once() -> None:
    assert count_tool_retries({}, [failed("a"), failed("a"), returned("a")], any_number) == {"a": 1}


def test_a_tool_that_succeeds_starts_anew() -> None:
    assert count_tool_retries({"a": 2, "b": 1}, [returned("a")], any_number) == {"b": 1}


def test_over_the_tools_limit_the_run_fails_and_says_what_was_wrong() -> None:
    allowed = {"a": 1, "b": 3}.__getitem__
    assert count_tool_retries({"b": 2}, [failed("b")], allowed) == {"b": 3}
    with pytest.raises(UnexpectedModelBehavior, match=r"tool 'a' failed 2 time.*maximum of 1 retries.*\n?.*try x=1"):
        count_tool_retries({"a": 1}, [failed("a")], allowed)


def test_of_two_tools_over_their_limits_the_first_is_named() -> None:
    for first, second in (("a", "b"), ("b", "a")):
        with pytest.raises(UnexpectedModelBehavior, match=f"tool '{first}'"):
            count_tool_retries({}, [failed(first), failed(second)], lambda _: 0)


def test_result_retries_are_counted_up_to_their_limit() -> None:
    prompt = RetryPromptPart("no text")
    assert [count_result_retry(before, prompt, 2) for before in (0, 1)] == [1, 2]
    with pytest.raises(UnexpectedModelBehavior, match=r"the result failed 3 time.*maximum of 2 retries.*no text"):
        count_result_retry(2, prompt, 2)


names = st.sampled_from("abc")


@given(st.dictionaries(names, st.integers(1, 5)), st.lists(names.map(failed) | names.map(returned)))
def test_counts_go_up_by_one_or_start_anew(before: dict[str, int], answers: list[Answer]) -> None:
    counts = count_tool_retries(before, answers, any_number)
    wrong = {answer.tool_name for answer in answers if isinstance(answer, RetryPromptPart)}
    right = {answer.tool_name for answer in answers} - wrong
    for name in "abc":
        expected = before.get(name, 0) + 1 if name in wrong else 0 if name in right else before.get(name, 0)
        assert counts.get(name, 0) == expected
