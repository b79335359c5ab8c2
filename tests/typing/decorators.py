"""Read by type checkers alone: decorators hand back what they get, and refuse what does not fit the agent."""

# pyright: reportUnnecessaryTypeIgnoreComment=true
from __future__ import annotations

from dataclasses import dataclass
from typing import assert_type

from agentgraph import Agent, RunContext, Tool
from agentgraph.tools import ToolDefinition


@dataclass
class Deps:
    """What the agent needs."""

    n: int


agent = Agent("test", result_type=int, deps_type=Deps)

# -------------------------------------------------------------------------------------------------------------- tools


@agent.tool
async def look(ctx: RunContext[Deps], at: str, *, twice: bool = False) -> int:
    return len(at) + ctx.deps.n + twice


@agent.tool(retries=3, name="peek", docstring_format="google")
def glance(ctx: RunContext[Deps], at: str) -> str:
    return at


@agent.tool_plain
def add(a: int, b: int = 1) -> int:
    return a + b


@agent.tool_plain(retries=2)
async def wait(seconds: float) -> None:
    return None


async def prepare(ctx: RunContext[Deps], definition: ToolDefinition) -> ToolDefinition | None:
    return definition


async def prepare_other(ctx: RunContext[str], definition: ToolDefinition) -> ToolDefinition | None:
    return definition


agent.tool(prepare=prepare)
agent.tool(prepare=prepare_other)  # type: ignore[arg-type]
agent.tool(colour="red")  # type: ignore[call-overload]


async def tools_are_what_they_were(ctx: RunContext[Deps]) -> None:
    assert_type(await look(ctx, "x", twice=True), int)
    assert_type(glance(ctx, at="x"), str)
    assert_type(add(1, b=2), int)
    await wait(1.0)
    add("one")  # type: ignore[arg-type]
    glance(ctx, 3)  # type: ignore[arg-type]


@agent.tool  # type: ignore[arg-type]
def of_other_deps(ctx: RunContext[str], at: str) -> str:
    return at


@agent.tool  # type: ignore[arg-type]
def without_context(at: str) -> str:
    return at


@agent.tool
def of_any_deps(ctx: RunContext[object]) -> str:
    return str(ctx.deps)


def tools_fit_their_agent() -> None:
    Agent("test", deps_type=Deps, tools=[look, add, Tool(add)])
    Agent("test", deps_type=Deps, tools=[Tool(glance)])
    Agent("test", deps_type=Deps, tools=[3])  # type: ignore[list-item]


# ------------------------------------------------------------------------------------------------------ system prompts


@agent.system_prompt
def short() -> str:
    return "Be brief."


@agent.system_prompt(dynamic=True)
async def who(ctx: RunContext[Deps]) -> str:
    return f"The user is {ctx.deps.n}."


@agent.system_prompt  # type: ignore[type-var]
def a_number() -> int:
    return 3


@agent.system_prompt  # type: ignore[type-var]
def of_two(ctx: RunContext[Deps], other: int) -> str:
    return "?"


async def prompts_are_what_they_were(ctx: RunContext[Deps]) -> None:
    assert_type(short(), str)
    assert_type(await who(ctx), str)


# ---------------------------------------------------------------------------------------------------------- validators


@agent.result_validator
def even(data: int) -> int:
    return data


@agent.result_validator
async def odd(ctx: RunContext[Deps], data: int) -> int:
    return data + ctx.deps.n


@agent.result_validator  # type: ignore[arg-type]
def of_text(data: str) -> str:
    return data


@agent.result_validator  # type: ignore[arg-type]
def of_other_context(ctx: RunContext[str], data: int) -> int:
    return data


async def validators_are_what_they_were(ctx: RunContext[Deps]) -> None:
    assert_type(even(3), int)
    assert_type(await odd(ctx, 3), int)
