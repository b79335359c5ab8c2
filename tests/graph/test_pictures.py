"""Graphs as SVG, and what notebooks are given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from agentgraph.exceptions import UserError
from agentgraph.graph import BaseNode, Graph, GraphRunContext, Picture
from tests.drawing.documents import classes, texts
from tests.graph.test_diagram import Divide, Free, Gather, Left, One, Right, Two, graph

forking = Graph(nodes=(Divide, Left, Right, Gather))


def test_nodes_labels_and_notes_are_written() -> None:
    drawn = graph.svg(title="Mine", start_node=One)
    assert {"Mine", "One", "Two", "on", "done", "Goes either way.", "Or stays."} <= {*texts(drawn)}
    assert classes(drawn, "circle") == ["dot", "ring", "dot"]  # the start, and the end with its ring


def test_labels_and_notes_can_be_left_out() -> None:
    assert sorted(texts(graph.svg(edge_labels=False, notes=False))) == ["One", "Two"]


def test_forks_and_joins_are_bars() -> None:
    assert classes(forking.svg(), "rect").count("dot") == 3


def test_a_node_is_set_off() -> None:
    drawn = graph.svg(highlighted_nodes=Two, highlight_css="fill:#123456")
    assert drawn.count("fill:#123456") == 1


def test_remarks_take_the_place_of_notes_in_both_languages() -> None:
    drawn = graph.picture(remarks={"One": "mine", "Two": "too"})
    assert {"mine", "too"} <= {*texts(drawn.svg())}
    assert "note right of Two\n    too\n" in drawn.mermaid
    assert "Goes" not in drawn.svg() + drawn.mermaid
    with pytest.raises(UserError, match="Three is not in the graph"):
        graph.picture(remarks={"Three": "?"})


@pytest.mark.parametrize("nodes", [(One, Two), (Free, Two), (Divide, Left, Right, Gather)])
def test_every_way_of_the_graph_is_drawn(nodes: tuple[type[BaseNode[None, None, int]], ...]) -> None:
    drawn = Graph(nodes=nodes).picture()
    arrows = [line for line in drawn.mermaid.splitlines() if "-->" in line]
    assert classes(drawn.svg(), "path").count("head") == len(arrows)


def test_a_graph_without_an_end_has_no_ring() -> None:
    @dataclass
    class Forever(BaseNode):
        async def run(self, ctx: GraphRunContext) -> Forever:
            return self

    assert classes(Graph(nodes=(Forever,)).svg(), "circle") == []


def test_saving(tmp_path: Path) -> None:
    graph.svg_save(tmp_path / "g", title="T")
    assert (tmp_path / "g").read_text(encoding="utf-8") == graph.svg(title="T")
    picture = graph.picture(title="T")
    picture.save(tmp_path / "g.svg")
    picture.save(str(tmp_path / "g.mmd"))
    assert (tmp_path / "g.svg").read_text(encoding="utf-8") == picture.svg()
    assert (tmp_path / "g.mmd").read_text(encoding="utf-8") == picture.mermaid + "\n"
    with pytest.raises(UserError, match=r"g\.png ends neither in"):
        picture.save(tmp_path / "g.png")


def bundle_of(shown: Graph[None, None, int] | Picture) -> dict[str, str]:
    """What a notebook asks an object for."""
    asked: Callable[..., dict[str, str]] = getattr(shown, "_repr_mimebundle_")  # noqa: B009 - the name is Jupyter's
    return asked(include=None, exclude=None)


def test_a_notebook_shows_a_graph_from_where_its_runs_begin() -> None:
    bundle = bundle_of(forking)
    assert {*bundle} == {"image/svg+xml", "text/vnd.mermaid"}
    assert "[*] --> Divide\n" in bundle["text/vnd.mermaid"]
    assert "[*] --> Left" not in bundle["text/vnd.mermaid"]


def test_a_notebook_shows_a_picture() -> None:
    picture = graph.picture(title="T")
    assert bundle_of(picture) == {"image/svg+xml": picture.svg(), "text/vnd.mermaid": picture.mermaid}
