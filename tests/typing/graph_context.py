"""What type checkers know of a value that went through the journal: the type of the function that made it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_type

from agentgraph import Agent, AgentRunResult
from agentgraph.graph import BaseNode, End, Graph, GraphRunContext, GraphRunResult


@dataclass
class Only(BaseNode[None, None, str]):
    async def run(self, ctx: GraphRunContext) -> End[str]:
        return End("done")


graph = Graph(nodes=(Only,))


async def later(number: int) -> str:
    return str(number)


def at_once(number: int) -> int:
    return number


async def a_child_ends_with_the_outcome_of_its_own_run(ctx: GraphRunContext) -> None:
    agent = Agent("openai:gpt-4o", result_type=int, defer_model_check=True)
    assert_type(await ctx.run(agent, "how many?"), AgentRunResult[int])
    assert_type(await ctx.run(graph, Only()), GraphRunResult[None, str])


async def once_has_the_type_of_its_function(ctx: GraphRunContext) -> None:
    assert_type(await ctx.once("a", later, 1), str)
    assert_type(await ctx.once("b", at_once, 1), int)
    assert_type(await ctx.once("c", lambda: 1.5), float)
