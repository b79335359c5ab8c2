"""The doors show every option with its default, and there is one list of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import pytest

from agentgraph import Agent
from agentgraph.agent import AgentOptions, Overrides, RunOptions
from agentgraph.agent.options import RUN_DEFAULTS
from agentgraph.agent.settings import AgentSettings
from agentgraph.models.test import TestModel

pytestmark = pytest.mark.anyio

DOORS = ("run", "run_sync", "run_stream", "iter")

GIVEN_OF_AN_AGENT = {
    "model": None,
    "system_prompt": (),
    "result_type": str,
    "deps_type": type(None),
    "name": None,
    "model_settings": None,
    "retries": 1,
    "result_tool_name": "final_result",
    "result_tool_description": None,
    "result_retries": None,
    "tools": (),
    "defer_model_check": False,
    "end_strategy": "early",
    "instrument": None,
}
GIVEN_OF_A_DOOR = {
    "result_type": None,
    "message_history": None,
    "model": None,
    "deps": None,
    "model_settings": None,
    "usage_limits": None,
    "usage": None,
    "infer_name": True,
}


def parameters(function: Callable[..., object]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(function).parameters


def defaults(function: Callable[..., object]) -> dict[str, object]:
    return {name: parameter.default for name, parameter in parameters(function).items()}


@pytest.mark.parametrize("door", DOORS)
def test_a_door_shows_its_options_with_their_defaults(door: str) -> None:
    found = defaults(getattr(Agent(TestModel()), door))
    assert GIVEN_OF_A_DOOR.items() <= found.items()
    assert found.keys() == {"user_prompt", "result_type", *RunOptions.__annotations__}
    assert {name: found[name] for name in RUN_DEFAULTS} == RUN_DEFAULTS


@pytest.mark.parametrize("door", DOORS)
def test_all_but_the_prompt_is_given_by_keyword(door: str) -> None:
    prompt, *others = parameters(getattr(Agent(TestModel()), door)).values()
    assert prompt.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert {other.kind for other in others} == {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("door", DOORS)
def test_annotations_are_the_words_that_were_written(door: str) -> None:
    found = parameters(getattr(Agent, door))
    assert found["usage_limits"].annotation == "UsageLimits | None"
    assert found["infer_name"].annotation == "bool"


def test_an_agent_shows_its_options_with_their_defaults() -> None:
    found = defaults(Agent)
    assert GIVEN_OF_AN_AGENT.items() <= found.items()
    assert found.keys() == {"model", "result_type", "deps_type", *AgentOptions.__annotations__}
    assert [name for name, each in parameters(Agent).items() if each.kind is not each.KEYWORD_ONLY] == ["model"]


def test_the_options_of_an_agent_are_its_settings() -> None:
    assert list(AgentOptions.__annotations__) == [field.name for field in fields(AgentSettings)]


def test_every_option_of_a_run_has_a_default() -> None:
    assert list(RUN_DEFAULTS) == list(RunOptions.__annotations__)


def test_what_can_be_overridden_can_be_given_to_a_run() -> None:
    assert Overrides.__annotations__.keys() <= RunOptions.__annotations__.keys()


async def test_an_unknown_option_is_a_type_error() -> None:
    agent: Any = Agent(TestModel())  # Any: checkers refuse what is tested here
    unknown = "a run has no option colour, size; it has message_history"
    with pytest.raises(TypeError, match=unknown):
        await agent.run("Hello", size=3, colour="red")
    with pytest.raises(TypeError, match=unknown):
        agent.run_sync("Hello", size=3, colour="red")
    for door in (agent.run_stream, agent.iter):
        with pytest.raises(TypeError, match=unknown):
            async with door("Hello", size=3, colour="red"):
                raise AssertionError


def test_an_unknown_option_of_an_agent_is_a_type_error() -> None:
    kind: Any = Agent  # Any: as above
    with pytest.raises(TypeError, match="colour"):
        kind(TestModel(), colour="red")


def test_an_agent_shows_what_it_was_made_with() -> None:
    model = TestModel()
    agent = Agent(
        model, result_type=int, deps_type=str, name="n", model_settings={"seed": 1}, end_strategy="exhaustive"
    )
    assert (agent.model, agent.result_type, agent.deps_type, agent.name) == (model, int, str, "n")
    assert (agent.model_settings, agent.end_strategy, agent.instrument) == ({"seed": 1}, "exhaustive", None)
    plain = Agent()
    assert (plain.model, plain.result_type, plain.deps_type, plain.name) == (None, str, type(None), None)
    assert (plain.model_settings, plain.end_strategy) == (None, "early")
