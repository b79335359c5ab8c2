"""langgraph: a conditional edge back; `Send` to each branch and a reducer; every step kept by `InMemorySaver`."""

import operator
from typing import Annotated, TypedDict

from cell import Cell, Fresh, Work
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send
from work import square


class Counted(TypedDict):
    n: int
    until: int


class Spread(TypedDict):
    count: int
    squares: Annotated[list[int], operator.add]
    total: int


class Branch(TypedDict):
    number: int


async def count(state: Counted) -> dict[str, int]:
    return {"n": state["n"] + 1}


async def branch(state: Branch) -> dict[str, list[int]]:
    return {"squares": [await square(state["number"])]}


async def total(state: Spread) -> dict[str, int]:
    return {"total": sum(state["squares"])}


def transitions(size: int, kept: InMemorySaver | None = None) -> Work:
    builder = StateGraph(Counted)
    builder.add_node("count", count)
    builder.add_edge(START, "count")
    builder.add_conditional_edges("count", lambda state: "count" if state["n"] < state["until"] else END)
    graph = builder.compile(checkpointer=kept)

    async def work() -> int:
        settings = {"recursion_limit": size + 10, "configurable": {"thread_id": "run"}}
        return (await graph.ainvoke({"n": 0, "until": size}, settings))["n"]

    return work


def fork(size: int, kept: InMemorySaver | None = None) -> Work:
    builder = StateGraph(Spread)
    builder.add_node("branch", branch)
    builder.add_node("total", total)
    builder.add_conditional_edges(
        START, lambda state: [Send("branch", {"number": number}) for number in range(state["count"])], ["branch"]
    )
    builder.add_edge("branch", "total")
    graph = builder.compile(checkpointer=kept)

    async def work() -> int:
        return (await graph.ainvoke({"count": size}, {"configurable": {"thread_id": "run"}}))["total"]

    return work


CELLS: dict[str, Cell] = {
    "transitions": transitions,
    "transitions-stored": Fresh(lambda size: transitions(size, InMemorySaver())),
    "fork": fork,
    "fork-stored": Fresh(lambda size: fork(size, InMemorySaver())),
}
