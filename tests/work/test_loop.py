"""How much is done for an answer, and for a turn: a call of the model and one of a tool."""

from __future__ import annotations

from typing import Any, Self

import anyio
import pytest
from pydantic import BaseModel, SerializerFunctionWrapHandler, model_serializer, model_validator

from agentgraph import Agent, RunContext
from agentgraph.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from agentgraph.model import Model, ModelRequestParameters
from agentgraph.settings import ModelSettings
from agentgraph.usage import Usage, UsageLimits

from .counting import Calls, counted_calls

pytestmark = pytest.mark.anyio

LOOP = ("agent/", "calling/", "tools/", "result/", "context.py", "usage.py", "settings.py")
"""What an agent does around the steps of its graph."""


class LoopingModel(Model):
    """Calls the tool so many times, then answers, and does nothing else."""

    def __init__(self, turns: int) -> None:
        self._turns = turns

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> tuple[ModelResponse, Usage]:
        done = len(messages) // 2
        if done < self._turns:
            return ModelResponse([ToolCallPart("look", f'{{"n": {done}}}', f"c{done}")]), Usage(0, 50, 10, 60)
        return ModelResponse([TextPart("done")]), Usage(0, 50, 10, 60)

    @property
    def model_name(self) -> str:
        return "looping"

    @property
    def system(self) -> str:
        return "test"


class Counted(BaseModel):
    """Notes when it is made of JSON and when JSON is made of it."""

    n: int

    @model_validator(mode="after")
    def note_read(self) -> Self:
        noted.append(f"read {self.n}")
        return self

    @model_serializer(mode="wrap")
    def note_written(self, handler: SerializerFunctionWrapHandler) -> Any:  # Any: JSON
        noted.append(f"written {self.n}")
        return handler(self)


noted: list[str] = []


def agent_of(turns: int) -> Agent[None, str]:
    agent = Agent(LoopingModel(turns), name="loop")

    @agent.tool_plain
    async def look(n: int) -> str:
        return f"{n}"

    return agent


async def calls_of(agent: Agent[None, str]) -> Calls:
    limits = UsageLimits(request_limit=None)
    await agent.run("go", usage_limits=limits)  # what is made once
    with counted_calls() as calls:
        await agent.run("go", usage_limits=limits)
    return calls


async def test_an_answer_takes_few_calls() -> None:
    calls = await calls_of(agent_of(0))
    assert calls.within(*LOOP) <= 60
    assert calls.within() <= 365


async def test_a_turn_takes_few_calls() -> None:
    ten, eleven = await calls_of(agent_of(10)), await calls_of(agent_of(11))
    assert eleven.within(*LOOP) - ten.within(*LOOP) <= 40
    assert eleven.within() - ten.within() <= 180


async def test_a_turn_of_a_tool_that_takes_the_context_costs_little_more() -> None:
    def agent_with_context(turns: int) -> Agent[None, str]:
        agent = Agent(LoopingModel(turns), name="loop")

        @agent.tool
        async def look(ctx: RunContext, n: int) -> str:
            return f"{n} {ctx.run_step}"

        return agent

    ten, eleven = await calls_of(agent_with_context(10)), await calls_of(agent_with_context(11))
    assert eleven.within(*LOOP) - ten.within(*LOOP) <= 62


async def test_a_late_turn_takes_as_many_calls_as_an_early_one() -> None:
    early = (await calls_of(agent_of(11))).within() - (await calls_of(agent_of(10))).within()
    late = (await calls_of(agent_of(201))).within() - (await calls_of(agent_of(200))).within()
    assert late == early


async def test_arguments_are_validated_once() -> None:
    noted.clear()
    agent = Agent(LoopingModel(3))

    @agent.tool_plain
    async def look(counted: Counted) -> str:
        return f"{counted.n}"

    await agent.run("go")
    assert noted == ["read 0", "read 1", "read 2"]


async def test_what_a_tool_returns_becomes_json_as_often_in_every_turn_and_not_again_in_later_ones() -> None:
    agent = Agent(LoopingModel(3))

    @agent.tool_plain
    async def look(n: int) -> Counted:
        return Counted.model_construct(n=n)

    noted.clear()
    await agent.run("go")
    # To be judged, to be stored, and once more to see that the request is still what was stored.
    assert noted == [f"written {n}" for n in (0, 0, 0, 1, 1, 1, 2, 2, 2)]


async def test_a_lone_call_runs_in_the_task_of_the_run() -> None:
    tasks: list[int] = []
    agent = Agent(LoopingModel(2))

    @agent.tool_plain
    async def look(n: int) -> str:
        tasks.append(anyio.get_current_task().id)
        return ""

    await agent.run("go")
    assert tasks == [anyio.get_current_task().id] * 2


async def test_the_list_of_tools_is_made_once() -> None:
    agent = agent_of(5)
    with counted_calls() as calls:
        await agent.run("go")
        await agent.run("go")
    assert calls.of("tools/tool.py", "definition") == 1
