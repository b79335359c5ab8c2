"""Tools of an agent: how they are given, called, asked for again, and what the next request says of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import anyio
import pytest

from agentgraph import Agent, ModelRetry, RunContext, Tool, UnexpectedModelBehavior, UserError
from agentgraph.messages import ModelResponse, RetryPromptPart
from agentgraph.models.test import TestModel
from agentgraph.tools import ToolDefinition
from tests.agent.scripted import Asked, answers, call, says

pytestmark = pytest.mark.anyio


async def test_a_tool_gets_the_run_as_its_context() -> None:
    model = says("ok", call("look", "c1", at=3), "done")
    agent = Agent(model, deps_type=str, system_prompt="Be brief.")
    seen: list[RunContext[str]] = []

    @agent.tool
    async def look(ctx: RunContext[str], at: int) -> int:
        seen.append(ctx)
        return at

    first = await agent.run("Hello", deps="x")
    await agent.run("Look", deps="y", run_id="r7", message_history=first.all_messages())
    (ctx,) = seen
    assert (ctx.deps, ctx.model, ctx.prompt) == ("y", model, "Look")
    assert (ctx.tool_name, ctx.tool_call_id, ctx.retry, ctx.run_step) == ("look", "c1", 0, 1)
    assert (ctx.run_id, ctx.idempotency_key) == ("r7", "r7/2/0")
    assert len(ctx.messages) >= 4


async def test_a_plain_tool_gets_its_arguments_alone() -> None:
    agent = Agent(says(call("add", a=1, b=2), "done"))

    @agent.tool_plain
    def add(a: int, b: int = 5) -> int:
        return a + b

    (answer,) = answers((await agent.run("Hello")).all_messages())
    assert (answer.tool_name, answer.content) == ("add", 3)


async def test_tools_can_be_given_to_the_agent() -> None:
    async def look(ctx: RunContext[None], at: int) -> str:
        return f"{ctx.prompt} {at}"

    def add(a: int) -> int:
        return a + 1

    model = says([call("look", at=1), call("plus", a=1)], "done")
    agent = Agent(model, tools=[look, Tool(add, name="plus")], system_prompt="Be brief.")
    found = answers((await agent.run("Hello")).all_messages())
    assert [answer.content for answer in found] == ["Hello 1", 2]


@pytest.mark.parametrize("name", ["tool", "tool_plain"])
def test_the_decorators_hand_the_function_back(name: str) -> None:
    def look(ctx: RunContext[None]) -> str:
        return "seen"

    agent = Agent(TestModel())
    decorate: Callable[..., Any] = getattr(agent, name)
    plain = (lambda: "seen") if name == "tool_plain" else look
    assert decorate(name="one")(plain) is plain
    if name == "tool":
        assert decorate(look) is look


async def test_a_tools_options_are_told_to_the_model() -> None:
    model = Asked()
    agent = Agent(model)

    async def hidden(ctx: RunContext[None], definition: ToolDefinition) -> ToolDefinition | None:
        return None if ctx.prompt == "no" else definition

    @agent.tool_plain(name="plus", prepare=hidden, docstring_format="google", require_parameter_descriptions=True)
    def add(a: int) -> int:
        """Add one.

        Args:
            a: The number.
        """
        return a + 1

    await agent.run("yes")
    await agent.run("no")
    (definition,) = model.infos[0].function_tools
    assert (definition.name, definition.description) == ("plus", "Add one.")
    assert definition.parameters_json_schema["properties"]["a"]["description"] == "The number."
    assert model.infos[1].function_tools == []


def test_a_name_is_used_once() -> None:
    agent = Agent(TestModel())

    @agent.tool_plain
    def look() -> str:
        return "seen"

    with pytest.raises(UserError, match="a tool named 'look' already"):
        agent.tool_plain(look)
    with pytest.raises(UserError, match="a tool named 'look' already"):
        Agent(TestModel(), tools=[look, look])
    agent.tool_plain(name="other")(look)


def test_a_name_is_not_that_of_a_result_tool() -> None:
    def final_result(x: int) -> int:
        return x

    Agent(TestModel(), tools=[final_result])
    with pytest.raises(UserError, match="'final_result' is the name of a result tool"):
        Agent(TestModel(), result_type=int, tools=[final_result])
    Agent(TestModel(), result_type=int, result_tool_name="answer", tools=[final_result])


async def test_a_runs_own_result_tool_may_not_have_a_tools_name() -> None:
    def final_result(x: int) -> int:
        return x

    agent = Agent(TestModel(), tools=[final_result])
    with pytest.raises(UserError, match="'final_result' is the name of a result tool"):
        await agent.run("Hello", result_type=int)


async def test_calls_run_side_by_side_and_their_answers_keep_the_order() -> None:
    agent = Agent(says([call("first", "a"), call("second", "b")], "done"))
    second_ran = anyio.Event()

    @agent.tool_plain
    async def first() -> str:
        await second_ran.wait()
        return "1"

    @agent.tool_plain
    async def second() -> str:
        second_ran.set()
        return "2"

    found = answers((await agent.run("Hello")).all_messages())
    assert [(answer.tool_call_id, answer.content) for answer in found] == [("a", "1"), ("b", "2")]


async def test_sync_tools_run_in_threads_that_see_context_variables() -> None:
    where: ContextVar[str] = ContextVar("where", default="nowhere")
    agent = Agent(says(call("look"), "done"))

    @agent.tool_plain
    def look() -> str:
        assert threading.current_thread() is not threading.main_thread()
        return where.get()

    where.set("here")
    (answer,) = answers((await agent.run("Hello")).all_messages())
    assert answer.content == "here"


@pytest.mark.parametrize("args", ['{"a": "much"}', '{"a": 1', "[]", ""])
async def test_arguments_that_do_not_fit_are_told_to_the_model(args: str) -> None:
    bad = call("add", "c")
    bad.args = args
    agent = Agent(says(bad, call("add", "d", a=1), "done"))

    @agent.tool_plain
    def add(a: int) -> int:
        return a + 1

    told, answer = answers((await agent.run("Hello")).all_messages())
    assert isinstance(told, RetryPromptPart)
    assert (told.tool_name, told.tool_call_id, answer.content) == ("add", "c", 2)


async def test_a_tool_can_ask_the_model_again() -> None:
    agent = Agent(says(call("look"), call("look"), "done"))

    @agent.tool
    def look(ctx: RunContext[None]) -> str:
        if ctx.retry == 0:
            message = "look closer"
            raise ModelRetry(message)
        return f"seen, retry {ctx.retry}"

    told, answer = answers((await agent.run("Hello")).all_messages())
    assert (told.part_kind, told.content) == ("retry-prompt", "look closer")
    assert answer.content == "seen, retry 1"


def fails(agent: Agent[None, str], retries: int | None = None) -> None:
    @agent.tool_plain(retries=retries)
    def look() -> str:
        message = "look closer"
        raise ModelRetry(message)


@pytest.mark.parametrize(("of_agent", "of_tool", "allowed"), [(1, None, 1), (0, None, 0), (3, None, 3), (0, 2, 2)])
async def test_over_the_limit_the_run_fails(of_agent: int, of_tool: int | None, allowed: int) -> None:
    agent = Agent(says(*[call("look")] * 5), retries=of_agent)
    fails(agent, of_tool)
    with pytest.raises(UnexpectedModelBehavior, match=f"maximum of {allowed} retries") as caught:
        await agent.run("Hello")
    assert sum(isinstance(message, ModelResponse) for message in caught.value.messages) == allowed + 1


async def test_retries_are_counted_per_run() -> None:
    agent = Agent(says(call("look"), "done"), retries=1)
    fails(agent)
    for _ in range(3):
        assert (await agent.run("Hello")).data == "done"


async def test_several_failures_in_one_reply_count_once() -> None:
    agent = Agent(says([call("look")] * 3, "done"), retries=1)
    fails(agent)
    assert (await agent.run("Hello")).data == "done"


async def test_prepare_sees_the_retry_count() -> None:
    seen: list[tuple[str | None, int]] = []

    async def note(ctx: RunContext[None], definition: ToolDefinition) -> ToolDefinition:
        seen.append((ctx.tool_name, ctx.retry))
        return definition

    agent = Agent(says(call("look"), "done"))

    @agent.tool_plain(prepare=note)
    def look() -> str:
        message = "look closer"
        raise ModelRetry(message)

    await agent.run("Hello")
    assert seen == [("look", 0), ("look", 1)]


async def test_an_unknown_tool_is_answered_with_those_there_are() -> None:
    agent = Agent(says([call("luck", "c"), call("look", "d")], call("final_result", response=1)), result_type=int)

    @agent.tool_plain
    def look() -> str:
        return "seen"

    told, answer, _ = answers((await agent.run("Hello")).all_messages())
    assert isinstance(told, RetryPromptPart)
    assert (told.tool_name, told.tool_call_id, answer.content) == ("luck", "c", "seen")
    assert all(name in told.model_response() for name in ("'luck'", "look", "final_result"))


async def test_unknown_tools_count_as_result_retries() -> None:
    agent = Agent(says(call("luck"), call("luck"), "done"), retries=5, result_retries=1)
    with pytest.raises(UnexpectedModelBehavior, match="the result failed 2"):
        await agent.run("Hello")


async def test_what_a_tool_raises_leaves_the_run_as_it_is() -> None:
    agent = Agent(says(call("look")))
    error = KeyError("no such thing")

    @agent.tool_plain
    def look() -> str:
        raise error

    with pytest.raises(KeyError) as caught:
        await agent.run("Hello", run_id="r")
    assert caught.value is error
    assert "raised in run 'r', step 2 (HandleResponseNode)" in error.__notes__


async def test_what_is_no_json_cannot_be_returned() -> None:
    agent = Agent(says(call("look")))

    @agent.tool_plain
    def look() -> object:
        return object()

    with pytest.raises(UserError, match="tool 'look' returned a object"):
        await agent.run("Hello")


@pytest.mark.parametrize(("of_agent", "of_tool"), [(0.0, None), (None, 0.0), (60.0, 0.0)])
async def test_a_call_that_takes_too_long_is_told_to_the_model(of_agent: float | None, of_tool: float | None) -> None:
    agent = Agent(says(call("wait"), "done"), tool_timeout=of_agent)

    @agent.tool_plain(timeout=of_tool)
    async def wait() -> str:
        await anyio.sleep_forever()
        raise AssertionError

    (told,) = answers((await agent.run("Hello")).all_messages())
    assert isinstance(told, RetryPromptPart)
    assert "did not finish within 0 seconds" in told.model_response()


# ------------------------------------------------------------------------------------- a result beside function tools


def agent_with_look(*parts: object, end_strategy: str) -> tuple[Agent[None, int], list[str]]:
    ran: list[str] = []
    model = says(list(parts))  # type: ignore[arg-type]  # parts of a reply
    agent = Agent(model, result_type=int, end_strategy=end_strategy)  # type: ignore[arg-type]  # one of the two

    @agent.tool_plain
    def look(at: str) -> str:
        ran.append(at)
        if at == "retry":
            message = "look closer"
            raise ModelRetry(message)
        return f"seen {at}"

    return agent, ran


async def test_early_skips_the_other_calls_in_their_order() -> None:
    parts = [call("look", "a", at="1"), call("final_result", "b", response=1), call("look", "c", at="2")]
    agent, ran = agent_with_look(*parts, end_strategy="early")
    result = await agent.run("Hello")
    found = answers(result.all_messages())
    assert (result.data, ran) == (1, [])
    assert [answer.tool_call_id for answer in found] == ["a", "b", "c"]
    assert all("skipped" in str(found[place].content) for place in (0, 2))
    assert "taken" in str(found[1].content)


async def test_exhaustive_runs_them_and_answers_them_last() -> None:
    parts = [
        call("look", "a", at="1"),
        call("nowhere", "b"),
        call("final_result", "c", response=1),
        call("look", "d", at="2"),
        call("final_result", "e", response=2),
    ]
    agent, ran = agent_with_look(*parts, end_strategy="exhaustive")
    result = await agent.run("Hello")
    found = answers(result.all_messages())
    assert (result.data, sorted(ran)) == (1, ["1", "2"])
    assert [answer.tool_call_id for answer in found] == ["b", "c", "e", "a", "d"]
    assert [answer.content for answer in found][3:] == ["seen 1", "seen 2"]
    assert ["taken" in str(answer.content) for answer in found[:3]] == [False, True, False]


async def test_a_tool_that_asks_again_does_not_undo_the_result() -> None:
    parts = [call("final_result", response=1), call("look", at="retry")]
    agent, ran = agent_with_look(*parts, end_strategy="exhaustive")
    result = await agent.run("Hello")
    assert (result.data, ran) == (1, ["retry"])
    assert [answer.part_kind for answer in answers(result.all_messages())] == ["tool-return", "retry-prompt"]


async def test_the_first_valid_result_wins() -> None:
    parts = [
        call("final_result", "a", response="none"),
        call("final_result", "b", response=2),
        call("final_result", "c", response=3),
    ]
    agent, _ = agent_with_look(*parts, end_strategy="early")
    result = await agent.run("Hello")
    assert result.data == 2
    assert ["taken" in str(answer.content) for answer in answers(result.all_messages())] == [False, True, False]


@pytest.mark.parametrize("end_strategy", ["early", "exhaustive"])
async def test_without_a_valid_result_the_other_calls_run(end_strategy: str) -> None:
    parts = [call("look", "a", at="1"), call("final_result", "b", response="none"), call("nowhere", "c")]
    agent, ran = agent_with_look(*parts, end_strategy=end_strategy)
    with pytest.raises(IndexError):  # the model has nothing more to say
        await agent.run("Hello", run_id="r")
    async with agent.iter(resume="r") as run:
        request = run.ctx.state.message_history
        found = answers([*request, run.next_node.request])  # type: ignore[union-attr]  # a ModelRequestNode
    assert ran == ["1"]
    assert [answer.part_kind for answer in found] == ["tool-return", "retry-prompt", "retry-prompt"]
