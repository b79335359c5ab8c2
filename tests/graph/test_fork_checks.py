"""Forks are checked with the whole graph: what is wrong is named before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import pytest

from agentgraph.exceptions import GraphSetupError
from agentgraph.graph import BaseNode, BranchError, Edge, End, Fork, Graph, GraphRunContext, Join
from tests.graph.samples import unplaced

if TYPE_CHECKING:
    from decimal import Decimal

Ctx = GraphRunContext[None, None]


@dataclass
class Start(BaseNode[None, None, int]):
    async def run(self, ctx: Ctx) -> Annotated[Fork[Walk | Jump, Sum], Edge(label="each")]:
        return Fork([Walk()], join=Sum)


@dataclass
class Walk(BaseNode):
    async def run(self, ctx: Ctx) -> Walk | Join[int]:
        return Join(1)


@dataclass
class Jump(BaseNode):
    async def run(self, ctx: Ctx) -> Walk:
        return Walk()


@dataclass
class Sum(BaseNode[None, None, int]):
    values: list[int | BranchError]

    async def run(self, ctx: Ctx) -> End[int]:
        return End(len(self.values))


def problems(*nodes: type[BaseNode[Any, Any, Any]]) -> Sequence[str]:
    with pytest.raises(GraphSetupError) as caught:
        Graph(nodes=nodes)
    return (*unplaced(caught.value.problems),)


def test_a_graph_that_is_right() -> None:
    graph = Graph[None, None, int](nodes=[Start, Walk, Jump, Sum])
    assert {(a, b, each["kind"], each["label"]) for a, b, each in graph.to_networkx().edges(data=True)} == {
        ("Start", "Walk", "fork", "each"),
        ("Start", "Jump", "fork", "each"),
        ("Jump", "Walk", "next", None),
        ("Walk", "Walk", "next", None),
        ("Walk", "Sum", "join", None),
        ("Sum", "End", "next", None),
    }


def test_targets_that_are_not_in_the_graph() -> None:
    assert problems(Start, Walk) == (
        "Start may return Jump, which is not in the graph",
        "Start may return Sum, which is not in the graph",
    )


def test_a_join_that_no_fork_leads_to() -> None:
    @dataclass
    class Alone(BaseNode[None, None, int]):
        async def run(self, ctx: Ctx) -> Join[int] | End[int]:
            return End(1)

    assert problems(Alone) == ("Alone may return a Join, and no fork leads to it",)


def test_a_join_that_the_root_branch_gets_to_as_well() -> None:
    @dataclass
    class Begin(BaseNode[None, None, int]):
        async def run(self, ctx: Ctx) -> Fork[Walk, Sum] | Detour:
            return Detour()

    @dataclass
    class Detour(BaseNode):
        async def run(self, ctx: Ctx) -> Walk:
            return Walk()

    assert problems(Begin, Detour, Walk, Sum) == (
        "Walk may return a Join, and Detour -> Walk leads to it outside of every fork",
    )


def test_an_end_inside_a_branch() -> None:
    @dataclass
    class Begin(BaseNode[None, None, int]):
        async def run(self, ctx: Ctx) -> Fork[Leave, Sum]:
            return Fork([Leave()], join=Sum)

    @dataclass
    class Leave(BaseNode[None, None, int]):
        async def run(self, ctx: Ctx) -> End[int]:
            return End(1)

    assert problems(Begin, Leave, Sum) == (
        "Leave may end the run inside a branch of the fork in Begin: a branch ends with a Join",
        "Sum is never reached: no node of a branch of the fork in Begin returns a Join",
    )


def test_a_branch_that_never_ends() -> None:
    @dataclass
    class Begin(BaseNode[None, None, int]):
        async def run(self, ctx: Ctx) -> Fork[Walk | Turn, Sum]:
            return Fork([Turn()], join=Sum)

    @dataclass
    class Turn(BaseNode):
        async def run(self, ctx: Ctx) -> Turn:
            return self

    assert problems(Begin, Walk, Turn, Sum) == (
        "Turn can never reach a Join, inside a branch of the fork in Begin",
        "Turn can never reach an End: Turn -> Turn is a cycle without a way out",
    )


def test_a_join_that_takes_no_list() -> None:
    @dataclass
    class Begin(BaseNode[None, None, int]):
        async def run(self, ctx: Ctx) -> Fork[Walk, Nothing] | Fork[Walk, Number] | Fork[Walk, Named]:
            return Fork([Walk()], join=Nothing)

    @dataclass
    class Nothing(BaseNode[None, None, int]):
        async def run(self, ctx: Ctx) -> End[int]:
            return End(1)

    @dataclass
    class Number(BaseNode[None, None, int]):
        value: int

        async def run(self, ctx: Ctx) -> End[int]:
            return End(1)

    @dataclass
    class Named(BaseNode[None, None, int]):
        _: KW_ONLY
        values: list[int]

        async def run(self, ctx: Ctx) -> End[int]:
            return End(1)

    assert problems(Begin, Walk, Nothing, Number, Named) == tuple(
        f"{name} takes no list of values as its first field, and the fork in Begin hands it one"
        for name in ("Nothing", "Number", "Named")
    )


def test_values_of_another_type() -> None:
    @dataclass
    class Begin(BaseNode[None, None, int]):
        async def run(self, ctx: Ctx) -> Fork[Word, Sum]:
            return Fork([Word()], join=Sum)

    @dataclass
    class Word(BaseNode):
        async def run(self, ctx: Ctx) -> Join[int | str]:
            return Join("one")

    assert problems(Begin, Word, Sum) == (
        "Word joins with int | str, and Sum takes a list of int | agentgraph.graph.node.BranchError",
    )


@pytest.mark.parametrize("values", [list[Any], list, Sequence[int], Any, Annotated[list[int], "of them"]])
def test_lists_that_may_take_them(values: Any) -> None:
    @dataclass
    class Begin(BaseNode[None, None, int]):
        async def run(self, ctx: Ctx) -> Fork[Walk, Taking]:
            return Fork([Walk()], join=Taking)

    @dataclass
    class Taking(BaseNode[None, None, int]):
        values: Any

        async def run(self, ctx: Ctx) -> End[int]:
            return End(1)

    Taking.__annotations__["values"] = values
    Graph[None, None, int](nodes=[Begin, Walk, Taking])


def test_a_type_that_only_a_checker_knows_may_be_right() -> None:
    @dataclass
    class Begin(BaseNode[None, None, int]):
        async def run(self, ctx: Ctx) -> Fork[Walk, Taking]:
            return Fork([Walk()], join=Taking)

    @dataclass
    class Taking(BaseNode[None, None, int]):
        values: list[Decimal]

        async def run(self, ctx: Ctx) -> End[int]:
            return End(1)

    Graph[None, None, int](nodes=[Begin, Walk, Taking])


def test_a_fork_whose_annotation_says_nothing() -> None:
    @dataclass
    class Begin(BaseNode[None, None, int]):
        async def run(self, ctx: Ctx) -> Fork | Fork[int, Sum] | End[int]:  # type: ignore[type-arg] # pyright: ignore[reportMissingTypeArgument, reportUnknownParameterType]
            return End(1)

    assert (
        problems(Begin, Sum)
        == ("Begin.run may return a Fork of unknown nodes: annotate it `Fork[Branch, Joined]`",) * 2
    )


def test_a_branch_that_may_lead_anywhere_is_not_judged() -> None:
    @dataclass
    class Begin(BaseNode[None, None, int]):
        async def run(self, ctx: Ctx) -> Fork[Free, Sum]:
            return Fork([Free()], join=Sum)

    @dataclass
    class Free(BaseNode):
        async def run(self, ctx: Ctx) -> BaseNode[None, None, Any]:
            return Sum([])

    Graph[None, None, int](nodes=[Begin, Free, Sum])
