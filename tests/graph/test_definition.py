"""Edges come from the return annotation of `run`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Generic, Optional, TypeVar, Union

import pytest

from agentgraph.exceptions import GraphSetupError
from agentgraph.graph import BaseNode, Edge, End, Graph, GraphRunContext
from agentgraph.graph.definition import NodeDefinition, define, type_arguments

T = TypeVar("T")
Ctx = GraphRunContext[None, None]


@dataclass
class Middle(BaseNode[None, None, int]):
    async def run(self, ctx: Ctx) -> End[int]:
        return End(1)


@dataclass
class Generic1(BaseNode[None, None, int], Generic[T]):
    value: T

    async def run(self, ctx: Ctx) -> Generic1[T] | Middle:
        return Middle()


STATE = list[T]


class Base(BaseNode[list[T], None, T]):
    """Says what its subclasses give for the type variable."""


def defined(node: type[BaseNode[Any, Any, Any]]) -> NodeDefinition:
    return define(node, {})


def test_a_union_names_every_target() -> None:
    class Fan(BaseNode[None, None, int]):
        async def run(self, ctx: Ctx) -> Middle | Generic1[int] | End[int]:
            return End(1)

    found = defined(Fan)
    assert list(found.edges) == ["Middle", "Generic1"]
    assert found.end == Edge()
    assert not found.problems


def test_the_older_spellings_of_unions_mean_the_same() -> None:
    class Old(BaseNode[None, None, int]):
        async def run(self, ctx: Ctx) -> Union[Middle, Optional[End[int]]]:  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride] # noqa: UP007, UP045
            return End(1)

    found = defined(Old)
    assert list(found.edges) == ["Middle"]
    assert found.end == Edge()
    assert "NoneType" in found.problems[0]


def test_an_annotated_member_carries_its_edge() -> None:
    class Labelled(BaseNode[None, None, int]):
        async def run(
            self, ctx: Ctx
        ) -> Annotated[Middle, "a remark", Edge(label="on")] | Annotated[End[int], Edge(label="done")]:
            return End(1)

    found = defined(Labelled)
    assert found.edges == {"Middle": Edge("on")}
    assert found.end == Edge("done")


def test_an_annotated_union_gives_its_edge_to_all() -> None:
    class Both(BaseNode[None, None, int]):
        async def run(self, ctx: Ctx) -> Annotated[Middle | End[int], Edge(label="x")]:
            return End(1)

    found = defined(Both)
    assert (found.edges, found.end) == ({"Middle": Edge("x")}, Edge("x"))


def test_a_generic_node_leads_to_itself_and_on() -> None:
    assert list(defined(Generic1).edges) == ["Generic1", "Middle"]


def test_base_node_means_any_node() -> None:
    class Anywhere(BaseNode[None, None, int]):
        async def run(self, ctx: Ctx) -> BaseNode[None, None, int] | End[int]:
            return End(1)

    found = defined(Anywhere)
    assert found.open_ended
    assert found.leads_to(Middle())
    assert not defined(Middle).leads_to(Middle())


def test_no_annotation_is_a_problem() -> None:
    class Silent(BaseNode):
        async def run(self, ctx: Ctx):  # type: ignore[no-untyped-def] # noqa: ANN202 - what is tested
            return End(1)

    assert defined(Silent).problems == ("Silent.run has no return annotation",)


def test_an_unknown_name_is_a_problem() -> None:
    class Lost(BaseNode):
        async def run(self, ctx: Ctx) -> Nowhere:  # type: ignore[name-defined] # pyright: ignore[reportUndefinedVariable, reportUnknownParameterType] # noqa: F821 - what is tested
            raise NotImplementedError

    assert defined(Lost).problems == ("Lost.run is annotated with 'Nowhere', unknown here",)


def test_what_is_neither_node_nor_end_is_a_problem() -> None:
    class Odd(BaseNode):
        async def run(self, ctx: Ctx) -> int | list[str] | T:  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride, reportGeneralTypeIssues]
            return 1

    assert defined(Odd).problems == (
        "Odd.run may return int, which is neither a node nor an End",
        "Odd.run may return list, which is neither a node nor an End",
        "Odd.run may return ~T, which is neither a node nor an End",
    )


def test_type_arguments_pass_through_generic_bases() -> None:
    class Given(Base[str]):
        async def run(self, ctx: GraphRunContext[list[str], None]) -> End[str]:
            return End("")

    class Plain(Given):
        pass

    assert type_arguments(Given) == (STATE, None, str)
    assert type_arguments(Plain) == type_arguments(Given)
    assert type_arguments(type("Bare", (BaseNode,), {})) == ()


def test_nodes_defined_inside_a_function_see_each_other() -> None:
    @dataclass
    class First(BaseNode[None, None, int]):
        async def run(self, ctx: Ctx) -> Second:
            return Second()

    @dataclass
    class Second(BaseNode[None, None, int]):
        async def run(self, ctx: Ctx) -> First | End[int]:
            return End(1)

    for graph in (Graph(nodes=[First, Second]), Graph[None, None, int](nodes=[First, Second])):
        assert list(graph.to_networkx().edges) == [("First", "Second"), ("Second", "First"), ("Second", "End")]


def test_a_local_node_hides_the_one_of_its_module() -> None:
    @dataclass
    class Middle(BaseNode[None, None, int]):
        async def run(self, ctx: Ctx) -> Middle | End[int]:
            return End(1)

    assert Graph(nodes=[Middle]).definitions["Middle"].node is Middle


def test_local_names_do_not_hide_those_of_a_node_of_a_module() -> None:
    class Middle:  # pyright: ignore[reportUnusedClass] - it must not be taken for the module's
        pass

    with pytest.raises(GraphSetupError, match="Generic1 may return Middle, which is not in the graph"):
        Graph(nodes=[Generic1])
