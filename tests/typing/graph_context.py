"""What type checkers know of a value that went through the journal: the type of the function that made it."""

from __future__ import annotations

from typing import assert_type

from agentgraph.graph import GraphRunContext


async def later(number: int) -> str:
    return str(number)


def at_once(number: int) -> int:
    return number


async def once_has_the_type_of_its_function(ctx: GraphRunContext) -> None:
    assert_type(await ctx.once("a", later, 1), str)
    assert_type(await ctx.once("b", at_once, 1), int)
    assert_type(await ctx.once("c", lambda: 1.5), float)
