from __future__ import annotations

from dataclasses import replace

import pytest

from agentgraph.context import RunContext
from agentgraph.exceptions import UserError
from agentgraph.tools import Tool, ToolDefinition, prepare
from tests.contexts import context

pytestmark = pytest.mark.anyio


def find(name: str) -> str:
    return name


def tools(*given: Tool[int]) -> dict[str, Tool[int]]:
    return {tool.name: tool for tool in given}


async def rich_only(ctx: RunContext[int], definition: ToolDefinition) -> ToolDefinition | None:
    return definition if ctx.deps > 100 else None


async def scribble(ctx: RunContext[int], definition: ToolDefinition) -> ToolDefinition:
    definition.description = f"{ctx.tool_name}, retry {ctx.retry}"
    definition.parameters_json_schema["properties"]["name"]["description"] = "changed"
    return definition


async def rename(ctx: RunContext[int], definition: ToolDefinition) -> ToolDefinition:
    return replace(definition, name="other")


async def test_a_tool_that_is_not_prepared_gives_its_own_definition() -> None:
    tool = Tool(find)
    (definition,) = await prepare(tools(tool), context(1))
    assert definition is tool.definition


async def test_a_tool_may_be_left_out_of_a_step() -> None:
    both = tools(Tool(find, prepare=rich_only, name="buy"), Tool(find))
    assert [one.name for one in await prepare(both, context(1))] == ["find"]
    assert [one.name for one in await prepare(both, context(101))] == ["buy", "find"]


async def test_changes_hold_for_the_step_alone() -> None:
    tool = Tool(find, prepare=scribble)
    (definition,) = await prepare(tools(tool), context(1), {"find": 2})
    assert definition.description == "find, retry 2"
    assert definition.parameters_json_schema["properties"]["name"]["description"] == "changed"
    assert tool.definition.description == ""
    assert tool.definition.parameters_json_schema["properties"]["name"] == {"type": "string"}


async def test_a_renamed_tool_is_the_programmers_mistake() -> None:
    with pytest.raises(UserError, match="'find' renamed it to 'other'"):
        await prepare(tools(Tool(find, prepare=rename)), context(1))
