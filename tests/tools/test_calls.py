from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anyio
import pytest
from anyio import from_thread
from pydantic import BaseModel

from agentgraph.context import RunContext
from agentgraph.exceptions import ModelRetry, UserError
from agentgraph.messages import ModelMessagesTypeAdapter, ModelRequest, RetryPromptPart, ToolCallPart, ToolReturnPart
from agentgraph.tools import Tool, run_call, unknown_tool
from tests.contexts import context

pytestmark = pytest.mark.anyio

Args = str | dict[str, Any]


@dataclass
class Customer:
    name: str


class Order(BaseModel):
    number: int


async def answer(
    function: Callable[..., object],
    args: Args = "",
    **options: Any,  # Any: options of any kind
) -> ToolReturnPart | RetryPromptPart:
    call = ToolCallPart("f", args, "c1")
    return await run_call(Tool(function, name="f", **options), call, context(10))


async def content(function: Callable[..., object], args: Args = "") -> object:
    part = await answer(function, args)
    assert isinstance(part, ToolReturnPart)
    assert (part.tool_name, part.tool_call_id) == ("f", "c1")
    return part.content


async def prompt(function: Callable[..., object], args: Args = "", **options: Any) -> RetryPromptPart:
    part = await answer(function, args, **options)
    assert isinstance(part, RetryPromptPart)
    assert (part.tool_name, part.tool_call_id) == ("f", "c1")
    return part


async def test_a_tool_is_called_with_context_and_arguments() -> None:
    async def function(ctx: RunContext[int], x: int, *rest: int, key: str = "k") -> list[object]:
        return [ctx.deps, ctx.tool_name, x, rest, key]

    ctx = context(10).replace_with(tool_name="f")
    part = await run_call(Tool(function), ToolCallPart("f", '{"x": 1, "rest": [2]}'), ctx)
    assert part.content == [10, "f", 1, (2,), "k"]


async def test_arguments_may_be_text_or_an_object() -> None:
    def double(x: int) -> int:
        return 2 * x

    assert await content(double, '{"x": 2}') == 4
    assert await content(double, {"x": 2}) == 4


RETURNS: list[object] = [
    None, True, 1, 1.5, "text", "", b"\xff", [1, [2]], {"a": {"b": None}}, (1, 2), {1, 2}, Customer("Ann"),
    Order(number=1), [Order(number=2)], {"when": Customer("Bob")},
]  # fmt: skip


@pytest.mark.parametrize("value", RETURNS)
async def test_what_a_tool_returns_is_kept_as_it_is(value: object) -> None:
    async def function() -> object:
        return value

    part = await answer(function)
    assert part.content is value
    assert isinstance(part, ToolReturnPart)
    assert ModelMessagesTypeAdapter.dump_json([ModelRequest([part])])


LOOP: list[object] = []
LOOP.append(LOOP)


@pytest.mark.parametrize("value", [object(), "\ud800", [threading.Lock()], LOOP, iter([1]), (x for x in "ab")])
async def test_what_json_cannot_hold_is_the_programmers_mistake(value: object) -> None:
    with pytest.raises(UserError, match=f"tool 'f' returned a {type(value).__name__}"):
        await answer(lambda: value)


async def test_arguments_that_do_not_fit_go_back_to_the_model() -> None:
    def function(x: int) -> int:
        return x

    errors = (await prompt(function, '{"x": "many", "y": 1}')).content
    assert not isinstance(errors, str)
    assert [error["loc"] for error in errors] == [("x",), ("y",)]


async def test_a_tool_may_ask_to_be_called_again() -> None:
    def function() -> int:
        raise ModelRetry("not now")

    assert (await prompt(function)).content == "not now"


async def test_validating_an_argument_may_ask_so_too() -> None:
    from typing import Annotated

    from pydantic import AfterValidator

    def odd(x: int) -> int:
        if x % 2 == 0:
            raise ModelRetry("an odd number, please")
        return x

    def function(x: Annotated[int, AfterValidator(odd)]) -> int:
        return x

    assert (await prompt(function, '{"x": 2}')).content == "an odd number, please"


async def test_other_exceptions_pass() -> None:
    async def function() -> int:
        raise KeyError("order 17")

    with pytest.raises(KeyError, match="order 17"):
        await answer(function)


async def test_a_validation_error_inside_a_tool_is_none_of_its_arguments() -> None:
    def function() -> Order:
        return Order.model_validate({})

    with pytest.raises(ValueError, match="number"):
        await answer(function)


async def test_a_call_that_takes_too_long_is_given_up() -> None:
    cancelled = anyio.Event()

    async def function() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.set()

    assert "within 0.001 seconds" in str((await prompt(function, timeout=0.001)).content)
    assert cancelled.is_set()


async def test_the_tools_own_timeout_wins_over_the_default() -> None:
    async def function() -> int:
        return 1

    call = ToolCallPart("f", "")
    late = await run_call(Tool(anyio.sleep_forever, name="f"), call, context(1), default_timeout=0.001)
    in_time = await run_call(Tool(function, name="f", timeout=60), call, context(1), default_timeout=0.0)
    assert isinstance(late, RetryPromptPart)
    assert isinstance(in_time, ToolReturnPart)


async def test_a_thread_is_waited_for_and_what_it_returned_counts_though_it_is_late() -> None:
    def function() -> str:
        threading.Event().wait(0.01)  # begun after the timeout was, so it ends after it on any machine
        return "at last"

    assert (await answer(function, timeout=0.001)).content == "at last"


async def test_a_thread_may_look_whether_its_time_is_over() -> None:
    def function() -> str:
        while True:
            from_thread.check_cancelled()

    assert "within 0.001 seconds" in str((await prompt(function, timeout=0.001)).content)


async def test_a_timeout_error_of_the_tool_itself_passes() -> None:
    async def function() -> None:
        raise TimeoutError("the shop is closed")

    with pytest.raises(TimeoutError, match="closed"):
        await answer(function, timeout=60)


async def test_the_message_of_a_retry_comes_through_a_timeout() -> None:
    async def function() -> None:
        raise ModelRetry("again")

    assert (await prompt(function, timeout=60)).content == "again"


async def test_an_async_call_spawns_no_task() -> None:
    async def function() -> int:
        return anyio.get_current_task().id

    assert await content(function) == anyio.get_current_task().id


def test_an_unknown_tool_is_answered_by_those_there_are() -> None:
    call = ToolCallPart("fnd", "{}", "c7")
    part = unknown_tool(call, ["find", "refund"])
    assert (part.tool_name, part.tool_call_id) == ("fnd", "c7")
    assert part.content == "There is no tool named 'fnd'. The tools are: find, refund."
    assert unknown_tool(call, []).content == "There is no tool named 'fnd'. There are no tools."
