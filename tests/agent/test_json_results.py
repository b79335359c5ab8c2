"""Runs whose result is asked for as JSON: by the service's own mode, or by what the model is told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from agentgraph import (
    Agent,
    ModelRetry,
    NativeResult,
    PromptedResult,
    RunContext,
    RunNotResumable,
    UnexpectedModelBehavior,
    UserError,
)
from agentgraph.messages import (
    FinalResultEvent,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
)
from agentgraph.models.test import TestModel
from tests.agent.scripted import Asked, call, says

pytestmark = pytest.mark.anyio


class City(BaseModel):
    """A place to live."""

    name: str
    people: int = 0


ROME = '{"name": "Rome", "people": 3}'
MARKS: list[Any] = [NativeResult, PromptedResult]
marks = pytest.mark.parametrize("mark", MARKS)


def system_prompts(messages: list[ModelMessage]) -> list[str]:
    return [part.content for each in messages for part in each.parts if isinstance(part, SystemPromptPart)]


@marks
async def test_the_text_is_the_result(mark: Any) -> None:
    agent = Agent(says(ROME), result_type=mark(City))
    assert (await agent.run("x")).data == City(name="Rome", people=3)
    assert agent.result_type is City


@marks
async def test_the_model_is_told_what_json_ends_the_run(mark: Any) -> None:
    model = Asked(lambda _: ROME)
    await Agent(model, result_type=mark(City)).run("x")
    [info] = model.infos
    assert (info.allow_text_result, info.result_tools) == (True, [])
    assert info.result_format is not None
    assert info.result_format.mode == ("native" if mark is NativeResult else "prompted")


async def test_instructions_stand_in_every_request_and_in_no_history() -> None:
    model = Asked(lambda messages: "?" if len(messages) == 1 else ROME)
    result = await Agent(model, result_type=PromptedResult(City), system_prompt="Be brief.").run("x")
    assert [system_prompts(request)[0] for request in model.requests] == ["Be brief.", "Be brief."]
    assert [system_prompts(request)[1].count('"people"') for request in model.requests] == [1, 1]
    assert system_prompts(result.all_messages()) == ["Be brief."]


async def test_instructions_come_first_where_a_history_begins_with_a_reply() -> None:
    model = Asked(lambda _: ROME)
    history: list[ModelMessage] = [ModelResponse([TextPart("Hello!")])]
    await Agent(model, result_type=PromptedResult(City, template="JSON: {schema}")).run("x", message_history=history)
    first = model.requests[0][0]
    assert isinstance(first, ModelRequest)
    assert str(first.parts[0]).startswith("SystemPromptPart(content='JSON: {")
    assert len(model.requests[0]) == 3


async def test_a_native_result_needs_no_words() -> None:
    model = Asked(lambda _: ROME)
    await Agent(model, result_type=NativeResult(City)).run("x")
    assert system_prompts(model.requests[0]) == []


@marks
async def test_what_does_not_fit_is_asked_for_again(mark: Any) -> None:
    result = await Agent(says('{"people": "many"}', ROME), result_type=mark(City)).run("x")
    retry = result.all_messages()[2].parts[0]
    assert isinstance(retry, RetryPromptPart)
    assert (retry.tool_name, "2 validation errors" in retry.model_response()) == (None, True)
    assert result.data.people == 3


@marks
async def test_retries_of_the_result_are_bounded(mark: Any) -> None:
    agent: Agent[None, Any] = Agent(says("one", "two", "three"), result_type=mark(City), result_retries=1)
    with pytest.raises(UnexpectedModelBehavior, match=r"the result failed 2 time\(s\)"):
        await agent.run("x")


@marks
async def test_validators_see_the_data(mark: Any) -> None:
    agent: Agent[None, Any] = Agent(says('{"name": "Troy"}', ROME), result_type=mark(City))

    @agent.result_validator
    def check(ctx: RunContext[None], city: City) -> City:
        if city.name == "Troy":
            raise ModelRetry("It is gone.")
        return city

    assert (await agent.run("x")).data.name == "Rome"


@marks
async def test_tools_run_before_the_result(mark: Any) -> None:
    agent: Agent[None, Any] = Agent(says([TextPart(ROME), call("look", "1")], ROME), result_type=mark(City))
    looked: list[int] = []

    @agent.tool_plain
    def look() -> str:
        looked.append(1)
        return "ok"

    result = await agent.run("x")
    assert (result.data.name, looked, result.usage().requests) == ("Rome", [1], 2)


async def test_there_are_no_result_tools() -> None:
    agent = Agent(says(call("final_result", name="Rome"), ROME), result_type=NativeResult(City))
    messages = (await agent.run("x")).all_messages()
    assert "final_result" in str(messages[2].parts[0])
    assert isinstance(messages[2].parts[0], RetryPromptPart)


@marks
async def test_a_stream_shows_the_result_grow(mark: Any) -> None:
    agent: Agent[None, Any] = Agent(says('{"response": ["a b", "c d"]}'), result_type=mark(list[str]))
    async with agent.run_stream("x") as response:
        seen = [data async for data in response.stream(debounce_by=None)]
    assert seen[0] == ["a "]
    assert seen[-1] == ["a b", "c d"]
    assert [len(data) for data in seen] == sorted(len(data) for data in seen)


@marks
async def test_json_is_not_streamed_as_text(mark: Any) -> None:
    async with Agent(says(ROME), result_type=mark(City)).run_stream("x") as response:
        with pytest.raises(UserError, match="text is no possible result"):
            await anext(response.stream_text())
        *_, (message, _) = [pair async for pair in response.stream_structured()]
        assert await response.get_data() == await response.validate_structured_result(message)


async def test_text_hints_at_the_result() -> None:
    async with Agent(says(ROME), result_type=NativeResult(City)).iter("x") as run:
        node = await run.next()
        assert Agent.is_model_request_node(node)
        async with node.stream(run.ctx) as stream:
            events = [event async for event in stream]
            outputs = [data async for data in stream.stream_output()]
    assert FinalResultEvent(None, None) in events
    assert outputs == [City(name="Rome", people=3)]


@marks
async def test_one_run_may_ask_its_own_way(mark: Any, tmp_path: Path) -> None:
    agent: Agent[None, Any] = Agent(says(ROME), store=tmp_path / "runs.db")
    assert (await agent.run("x", result_type=mark(City), run_id="r")).data.name == "Rome"
    assert (await agent.run(resume="r", result_type=mark(City))).data.people == 3
    with pytest.raises(RunNotResumable, match=r"result type (Native|Prompted)Result\(<class '.*City'>\)"):
        await agent.run(resume="r")


@marks
async def test_a_run_is_resumed_between_two_tries(mark: Any, tmp_path: Path) -> None:
    agent: Agent[None, Any] = Agent(says("?", ROME), result_type=mark(City), store=tmp_path / "runs.db")
    async with agent.iter("x", run_id="r") as run:
        while run.ctx.state.retries == 0:
            await run.next()
    assert await agent.can_resume("r") == []
    assert (await agent.run(resume="r")).data.name == "Rome"


@marks
async def test_types_that_cannot_be_hashed_are_asked_for_too(mark: Any) -> None:
    kind: Any = Annotated[list[int], {"not": "hashable"}]
    agent = Agent(says('{"response": [1]}'))
    for _ in range(2):
        assert (await agent.run("x", result_type=mark(kind))).data == [1]


@marks
async def test_the_test_model_makes_it_up(mark: Any) -> None:
    either: Any = City | int
    for kind in (City, list[int], either):
        assert (await Agent(TestModel(), result_type=mark(kind)).run("x")).data is not None
    given: Agent[None, Any] = Agent(TestModel(custom_result_args=[1, 2]), result_type=mark(list[int]))
    assert (await given.run("x")).data == [1, 2]
    told: Agent[None, Any] = Agent(TestModel(custom_result_text=ROME), result_type=mark(City))
    assert (await told.run("x")).data.name == "Rome"
    named: Agent[None, Any] = Agent(TestModel(custom_result_args={"name": "Pisa"}), result_type=mark(City))
    assert (await named.run("x")).data.name == "Pisa"


async def test_a_reply_of_a_stranger_is_no_result() -> None:
    agent = Agent(says(ROME), result_type=NativeResult(City))
    async with agent.run_stream("x") as response:
        with pytest.raises(UserError, match="holds no result"):
            await response.validate_structured_result(ModelResponse([ToolCallPart("f", {})]))
