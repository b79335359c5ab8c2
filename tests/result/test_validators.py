from __future__ import annotations

import pytest

from agentgraph.context import RunContext
from agentgraph.exceptions import ModelRetry
from agentgraph.messages import ToolCallPart
from agentgraph.result import Accepted, Rejected, ResultValidator, validate
from tests.contexts import context

pytestmark = pytest.mark.anyio


def doubled(data: int) -> int:
    return 2 * data


async def with_deps(ctx: RunContext[int], data: int) -> int:
    return ctx.deps + data


def without_annotation(ctx, data: int) -> int:  # type: ignore[no-untyped-def] # noqa: ANN001 # pyright: ignore[reportMissingParameterType,reportUnknownParameterType]
    deps: int = ctx.deps  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType]
    return 100 * deps + data  # pyright: ignore[reportUnknownVariableType]


async def refuse(data: int) -> int:
    raise ModelRetry(f"{data} is too small")


async def tell_call(ctx: RunContext[int], data: str) -> str:
    return f"{data} {ctx.tool_name} {ctx.tool_call_id}"


async def test_validators_run_in_order_each_on_what_the_last_gave() -> None:
    first: ResultValidator[int, int] = ResultValidator(doubled)
    assert await validate([first, ResultValidator(with_deps)], 3, None, context(1)) == Accepted(7)
    assert await validate([ResultValidator(with_deps), first], 3, None, context(1)) == Accepted(8)


async def test_without_validators_a_value_is_accepted() -> None:
    validators: list[ResultValidator[int, int]] = []
    assert await validate(validators, 3, None, context(1)) == Accepted(3)


async def test_two_arguments_mean_a_context() -> None:
    validator: ResultValidator[int, int] = ResultValidator(without_annotation)  # pyright: ignore[reportUnknownArgumentType]
    assert await validator(3, context(2)) == 203
    assert validator.function is without_annotation  # pyright: ignore[reportUnknownMemberType]


async def test_a_validator_may_send_the_result_back() -> None:
    validators: list[ResultValidator[int, int]] = [ResultValidator(refuse), ResultValidator(doubled)]
    of_text = await validate(validators, 3, None, context(1))
    of_call = await validate(validators, 3, ToolCallPart("final_result", "{}", "c1"), context(1))
    assert isinstance(of_text, Rejected)
    assert isinstance(of_call, Rejected)
    assert (of_text.prompt.content, of_text.prompt.tool_name) == ("3 is too small", None)
    assert (of_call.prompt.tool_name, of_call.prompt.tool_call_id) == ("final_result", "c1")


async def test_validators_see_the_call() -> None:
    call = ToolCallPart("final_result", "{}", "c1")
    validators: list[ResultValidator[int, str]] = [ResultValidator(tell_call)]
    assert await validate(validators, "x", call, context(1)) == Accepted("x final_result c1")
    assert await validate(validators, "x", None, context(1)) == Accepted("x None None")


async def test_other_exceptions_pass() -> None:
    def fail(data: int) -> int:
        raise LookupError(data)

    validator: ResultValidator[int, int] = ResultValidator(fail)
    with pytest.raises(LookupError):
        await validate([validator], 3, None, context(1))
