"""Results of an agent: types, validators, and what becomes of replies that hold none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from agentgraph import Agent, ModelRetry, RunContext, UnexpectedModelBehavior, UserError
from agentgraph.messages import ModelResponsePart, RetryPromptPart, TextPart, ThinkingPart
from agentgraph.models.test import TestModel
from tests.agent.scripted import Asked, call, says

pytestmark = pytest.mark.anyio


class City(BaseModel):
    """A city."""

    name: str
    people: int = 0


@dataclass
class River:
    length: float


class Lake(TypedDict):
    depth: int


TYPES: list[Any] = [  # Any: unions are no types to a checker
    City,
    River,
    Lake,
    int,
    bool,
    list[City],
    dict[str, int],
    tuple[int, str],
    Literal["a", "b"],
    Annotated[int, Field(gt=3)],
    City | River,
    str | City,
    int | None,
    list[City | River],
]


@pytest.mark.parametrize("kind", TYPES, ids=str)
async def test_a_result_of_any_type_is_read_and_stored(kind: Any) -> None:
    agent = Agent(TestModel(), result_type=kind)
    result = await agent.run("Hello", run_id="r")
    again = await agent.run(resume="r")
    assert again.data == result.data
    assert again.usage() == result.usage()


async def test_text_is_the_default() -> None:
    assert (await Agent(says("Hi")).run("Hello")).data == "Hi"


async def test_several_texts_are_joined() -> None:
    model = says([TextPart("One."), TextPart(""), ThinkingPart("hm"), TextPart("Two.")])
    assert (await Agent(model).run("Hello")).data == "One.\n\nTwo."


async def test_the_result_tool_has_its_name_and_description() -> None:
    model = TestModel()
    agent = Agent(model, result_type=City, result_tool_name="answer", result_tool_description="The answer.")
    await agent.run("Hello")
    asked = model.last_model_request_parameters
    assert asked is not None
    (tool,) = asked.result_tools
    assert (tool.name, tool.description, asked.allow_text_result) == ("answer", "The answer.\n\nA city.", False)


async def test_a_union_with_text_takes_both() -> None:
    kind: Any = str | City
    assert (await Agent(says("Rome"), result_type=kind).run("Where?")).data == "Rome"
    by_tool = says([TextPart("Well,"), call("final_result", name="Rome")])
    assert (await Agent(by_tool, result_type=kind).run("Where?")).data == City(name="Rome")


async def test_a_run_can_have_its_own_result_type() -> None:
    agent = Agent(TestModel(), result_type=City)
    assert (await agent.run("Hello", result_type=int)).data == 0
    assert (await agent.run("Hello", result_type=str)).data == "success (no tool calls)"
    assert (await agent.run("Hello")).data == City(name="a")
    async with agent.run_stream("Hello", result_type=int) as response:
        assert await response.get_data() == 0
    async with agent.iter("Hello", result_type=list[int]) as run:
        async for _ in run:
            pass
    assert run.result is not None
    assert run.result.data == [0]


async def test_what_annotates_a_result_type_need_not_be_hashable() -> None:
    kind: Any = Annotated[int, {"unit": "m"}]  # Any: what is annotated is no type to a checker
    agent = Agent(TestModel(), result_type=kind)
    assert [(await agent.run("Hello")).data, (await agent.run("Hello", result_type=list[kind])).data] == [0, [0]]


async def test_a_runs_own_result_type_does_not_go_with_validators() -> None:
    agent = Agent(TestModel())

    @agent.result_validator
    def same(data: str) -> str:
        return data

    with pytest.raises(UserError, match="cannot use the agent's result validators"):
        await agent.run("Hello", result_type=int)


async def test_validation_errors_go_back_to_the_model() -> None:
    agent = Agent(says(call("final_result", "a", people=1), call("final_result", "b", name="Rome")), result_type=City)
    result = await agent.run("Hello")
    told = result.all_messages()[2].parts[0]
    assert isinstance(told, RetryPromptPart)
    assert (told.tool_name, told.tool_call_id) == ("final_result", "a")
    assert "name" in told.model_response()
    assert result.data == City(name="Rome")


async def test_text_where_none_is_allowed_is_answered() -> None:
    agent = Agent(says("Rome", call("final_result", name="Rome")), result_type=City)
    told = (await agent.run("Hello")).all_messages()[2].parts[0]
    assert isinstance(told, RetryPromptPart)
    assert told.tool_name is None
    assert "final_result" in told.model_response()


@pytest.mark.parametrize(("retries", "result_retries", "allowed"), [(1, None, 1), (2, None, 2), (2, 0, 0), (0, 3, 3)])
async def test_over_the_limit_the_run_fails(retries: int, result_retries: int | None, allowed: int) -> None:
    agent = Agent(says(*["Rome"] * 6), result_type=int, retries=retries, result_retries=result_retries)
    with pytest.raises(UnexpectedModelBehavior, match=f"the result failed {allowed + 1} .* maximum of {allowed}"):
        await agent.run("Hello")


@pytest.mark.parametrize("parts", [[], [TextPart("")], [ThinkingPart("hm")]], ids=str)
async def test_an_empty_reply_fails_the_run(parts: list[ModelResponsePart]) -> None:
    with pytest.raises(UnexpectedModelBehavior, match="the model's reply is empty"):
        await Agent(says(parts)).run("Hello")


# --------------------------------------------------------------------------------------------------------- validators


async def test_validators_change_the_result_in_order() -> None:
    agent = Agent(says("a"), deps_type=str)

    @agent.result_validator
    def first(data: str) -> str:
        return data + "b"

    @agent.result_validator
    async def second(data: str) -> str:
        return data + "c"

    @agent.result_validator
    def third(ctx: RunContext[str], data: str) -> str:
        return data + ctx.deps

    @agent.result_validator
    async def fourth(ctx: RunContext[str], data: str) -> str:
        return f"{data} {ctx.prompt}"

    assert (await agent.run("Hello", deps="d")).data == "abcd Hello"


async def test_a_validator_can_ask_the_model_again() -> None:
    agent = Agent(says(call("final_result", "a", response=1), call("final_result", "b", response=2)), result_type=int)
    seen: list[tuple[str | None, str | None, int]] = []

    @agent.result_validator
    def even(ctx: RunContext, data: int) -> int:
        seen.append((ctx.tool_name, ctx.tool_call_id, ctx.retry))
        if data % 2:
            message = "an even one"
            raise ModelRetry(message)
        return data

    result = await agent.run("Hello")
    told = result.all_messages()[2].parts[0]
    assert isinstance(told, RetryPromptPart)
    assert (told.content, told.tool_call_id, result.data) == ("an even one", "a", 2)
    assert seen == [("final_result", "a", 0), ("final_result", "b", 1)]


async def test_a_validator_of_text_sees_no_tool() -> None:
    agent = Agent(says("no", "yes"))

    @agent.result_validator
    def sure(ctx: RunContext, data: str) -> str:
        assert ctx.tool_name is None
        if data == "no":
            message = "say yes"
            raise ModelRetry(message)
        return data

    assert (await agent.run("Hello")).data == "yes"


async def test_a_result_that_the_validator_refuses_too_often_fails_the_run() -> None:
    agent = Agent(says("no", "no"))

    @agent.result_validator
    def never(data: str) -> str:
        message = "say yes"
        raise ModelRetry(message)

    with pytest.raises(UnexpectedModelBehavior, match="the result failed 2"):
        await agent.run("Hello")


async def test_the_result_is_validated_once() -> None:
    agent = Agent(says("Hello to you"))
    seen: list[str] = []

    @agent.result_validator
    def note(data: str) -> str:
        seen.append(data)
        return data

    async with agent.run_stream("Hello") as response:
        assert [text async for text in response.stream(debounce_by=None)][-1] == "Hello to you"
        assert await response.get_data() == "Hello to you"
    assert seen == ["Hello to you"]


async def test_what_a_validator_raises_leaves_the_run_as_it_is() -> None:
    agent = Agent(says("no"))

    @agent.result_validator
    def never(data: str) -> str:
        raise KeyError(data)

    with pytest.raises(KeyError):
        await agent.run("Hello")


def test_the_decorator_hands_the_function_back() -> None:
    def check(data: str) -> str:
        return data

    assert Agent(Asked()).result_validator(check) is check
