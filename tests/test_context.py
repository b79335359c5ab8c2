from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from agentgraph.context import CallScope, RunContext
from agentgraph.stores import MemoryStore
from agentgraph.usage import Usage, UsageLimits
from tests.contexts import context


class Annotated(RunContext[int]):
    """A context of somebody's own."""


def test_a_changed_copy_leaves_the_original_as_it_was() -> None:
    original = context(3)
    copy = original.replace_with(retry=2, tool_name="find", tool_call_id="c1")
    assert (copy.deps, copy.retry, copy.tool_name, copy.tool_call_id) == (3, 2, "find", "c1")
    assert (original.retry, original.tool_name, original.tool_call_id) == (0, None, None)


def test_copies_share_usage_and_messages() -> None:
    original = context(None)
    copy = original.replace_with(run_step=1)
    assert copy.usage is original.usage
    assert copy.messages is original.messages


def test_a_copy_keeps_its_class() -> None:
    original = context(1)
    own = Annotated(original.deps, original.model, original.usage, original.prompt)
    assert isinstance(own.replace_with(retry=1), Annotated)


def test_an_unknown_change_is_refused() -> None:
    with pytest.raises(TypeError, match="nothing to change named deps, retries"):
        context(1).replace_with(retries=1, deps=2)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


def test_a_context_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        context(1).retry = 1  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]


def test_the_runs_that_a_call_starts_are_told_apart_by_their_count_or_a_key() -> None:
    scope = CallScope(MemoryStore(), UsageLimits(), Usage, "r/:2/0")
    assert [scope.start(None), scope.start("second"), scope.start(None)] == scope.children
    assert scope.children == ["r/:2/0.0", "r/:2/0.second", "r/:2/0.2"]
