"""Graphs as Mermaid text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import pytest

from agentgraph.exceptions import UserError
from agentgraph.graph import BaseNode, Edge, End, Fork, Graph, GraphRunContext, Join
from agentgraph.graph.diagram import lifecycle_picture

Ctx = GraphRunContext[None, None]


@dataclass
class One(BaseNode[None, None, int]):
    """Goes either way.

    Or stays.
    """

    docstring_notes: ClassVar[bool] = True

    async def run(self, ctx: Ctx) -> Annotated[Two, Edge(label="on")] | One:
        return Two()


@dataclass
class Two(BaseNode[None, None, int]):
    async def run(self, ctx: Ctx) -> Annotated[End[int], Edge(label="done")]:
        return End(1)


@dataclass
class Free(BaseNode[None, None, int]):
    async def run(self, ctx: Ctx) -> BaseNode[None, None, int] | Annotated[Two, Edge(label="mostly")]:
        return Two()


@dataclass
class Divide(BaseNode[None, None, int]):
    async def run(self, ctx: Ctx) -> Annotated[Fork[Left | Right, Gather], Edge(label="both")] | Fork[Left, Gather]:
        return Fork([Left(), Right()], join=Gather)


@dataclass
class Left(BaseNode):
    async def run(self, ctx: Ctx) -> Right | Join[int]:
        return Join(1)


@dataclass
class Right(BaseNode):
    async def run(self, ctx: Ctx) -> Join[int]:
        return Join(2)


@dataclass
class Gather(BaseNode[None, None, int]):
    values: list[int]

    async def run(self, ctx: Ctx) -> End[int]:
        return End(sum(self.values))


graph = Graph(nodes=[One, Two])
NOTE = ["  note right of One", "    Goes either way.", "", "    Or stays.", "  end note"]
PLAIN = ["stateDiagram-v2", "  One --> Two: on", "  One --> One", *NOTE, "  Two --> [*]: done"]


def test_edges_labels_and_notes() -> None:
    assert graph.mermaid_code().splitlines() == [line.rstrip() for line in PLAIN]


def test_without_labels_and_notes() -> None:
    code = graph.mermaid_code(edge_labels=False, notes=False)
    assert code.splitlines() == ["stateDiagram-v2", "  One --> Two", "  One --> One", "  Two --> [*]"]


def test_forks_and_joins_are_bars() -> None:
    code = Graph(nodes=(Divide, Left, Right, Gather)).mermaid_code()
    assert [line.strip() for line in code.splitlines()[1:]] == [
        "state Divide__fork <<fork>>",
        "Divide --> Divide__fork: both",
        "Divide__fork --> Left",
        "Divide__fork --> Right",
        "state Divide__fork2 <<fork>>",
        "Divide --> Divide__fork2",
        "Divide__fork2 --> Left",
        "Left --> Right",
        "Gather --> [*]",
        "state Gather__join <<join>>",
        "Left --> Gather__join",
        "Right --> Gather__join",
        "Gather__join --> Gather",
    ]


def test_title_direction_and_start() -> None:
    lines = graph.mermaid_code(title="Mine", direction="LR", start_node=One).splitlines()
    assert lines[:6] == ["---", "title: Mine", "---", "stateDiagram-v2", "  direction LR", "  [*] --> One"]


def test_nodes_set_off_by_id_class_or_instance() -> None:
    for node in ("Two", Two, Two(), [Two]):
        assert graph.mermaid_code(highlighted_nodes=node).endswith(
            "\n\nclassDef highlighted fill:#fdff32\nclass Two highlighted"
        )
    code = graph.mermaid_code(highlighted_nodes=[One, "Two"], highlight_css="color:red")
    assert code.endswith("classDef highlighted color:red\nclass One highlighted\nclass Two highlighted")


def test_a_node_that_may_lead_anywhere() -> None:
    code = Graph(nodes=[Free, Two]).mermaid_code()
    assert code.splitlines()[1:3] == ["  Free --> Free", "  Free --> Two: mostly"]
    assert dict(Graph(nodes=[Free, Two]).to_networkx().edges) == {
        ("Free", "Free"): {"label": None, "kind": "next"},
        ("Free", "Two"): {"label": "mostly", "kind": "next"},
        ("Two", "End"): {"label": "done", "kind": "next"},
    }


def test_a_node_that_is_not_there() -> None:
    with pytest.raises(UserError, match="Three, Free is not in the graph; it has One, Two"):
        graph.mermaid_code(start_node=["Three", Free])


def test_saving(tmp_path: Path) -> None:
    graph.mermaid_save(tmp_path / "g.mmd", title="T")
    assert (tmp_path / "g.mmd").read_text(encoding="utf-8") == graph.mermaid_code(title="T") + "\n"


def test_the_lifecycle_is_drawn_from_its_table() -> None:
    drawn = lifecycle_picture()
    lines = drawn.mermaid.splitlines()
    assert lines[:3] == ["stateDiagram-v2", "  [*] --> pending", "  pending --> running: start"]
    assert "  succeeded --> [*]" in lines
    assert len(lines) == 1 + len(drawn.chart.links) == 15
