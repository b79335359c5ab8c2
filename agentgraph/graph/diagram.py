"""Draws a graph: as the text of a Mermaid state diagram (https://mermaid.js.org/syntax/stateDiagram.html), and as SVG.

Both are made of the same ways from node to node, so that they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from typing_extensions import TypedDict

from agentgraph.exceptions import UserError

from .checks import END
from .definition import NodeDefinition
from .fork_checks import regions
from .lifecycle import LIFECYCLE
from .node import BaseNode, Edge
from .picture import Picture

if TYPE_CHECKING:
    from agentgraph.drawing import Chart

__all__ = ["Diagram", "DiagramOptions", "NodeRef", "lifecycle_picture"]

NodeRef: TypeAlias = str | type[BaseNode[Any, Any, Any]] | BaseNode[Any, Any, Any]
"""A node by its id, its class or an instance."""

HIGHLIGHT = "fill:#fdff32"

EDGE_OF_RUN = "[*]"
"""What Mermaid calls the place where arrows come in from outside, and where they go out to."""

START = "[start]"


class DiagramOptions(TypedDict, total=False):
    """What the pictures of a graph take: `Graph.picture`, `mermaid_code`, `svg` and the two that save."""

    start_node: NodeRef | Sequence[NodeRef] | None
    """Where an arrow comes in from outside; by default nowhere."""
    title: str | None
    """Written above the picture."""
    edge_labels: bool
    """Whether labels of edges are written; True by default."""
    notes: bool
    """Whether notes of nodes are drawn; True by default."""
    remarks: Mapping[str, str]
    """Notes by the ids of nodes, in place of what the classes say."""
    highlighted_nodes: NodeRef | Sequence[NodeRef] | None
    """Nodes to be set off."""
    highlight_css: str
    """How they are set off."""
    direction: Literal["TB", "LR", "RL", "BT"] | None
    """Where the picture runs to; by default down in SVG, while in Mermaid the renderer decides."""


@dataclass(frozen=True)
class Diagram:
    """A graph to be drawn, and how."""

    definitions: Mapping[str, NodeDefinition]
    options: DiagramOptions

    def picture(self) -> Picture:
        """The graph in both languages.

        Raises:
            UserError: an option names a node that is not in the graph.
        """
        return Picture(self.mermaid(), self.chart())

    def mermaid(self) -> str:
        """The text.

        Raises:
            UserError: an option names a node that is not in the graph.
        """
        options = self.options
        lines = ["---", f"title: {title}", "---"] if (title := options.get("title")) else []
        lines.append("stateDiagram-v2")
        if direction := options.get("direction"):
            lines.append(f"  direction {direction}")
        lines += [f"  [*] --> {node_id}" for node_id in self._ids(options.get("start_node"))]
        notes = self._notes()
        for definition in self.definitions.values():
            lines += (f"  {way}" for way in self._edges(definition))
            for bar, ways in self._forks(definition).items():
                lines += [f"  state {bar} <<fork>>", *(f"  {way}" for way in ways)]
            lines += _note(definition.node_id, notes)
        for bar, ways in self._joins().items():
            lines += [f"  state {bar} <<join>>", *(f"  {way}" for way in ways)]
        highlighted = self._ids(options.get("highlighted_nodes"))
        if highlighted:
            lines += ["", f"classDef highlighted {self._highlight}"]
            lines += [f"class {node_id} highlighted" for node_id in highlighted]
        return "\n".join(lines)

    def chart(self) -> Chart:
        """The same for SVG.

        Raises:
            UserError: an option names a node that is not in the graph.
        """
        from agentgraph.drawing import Chart, Kind, Link, Shape

        options, notes = self.options, self._notes()
        highlighted = self._ids(options.get("highlighted_nodes"))
        starts = self._ids(options.get("start_node"))
        ways = [_Way(EDGE_OF_RUN, start) for start in starts]
        shapes = [Shape(key=START, kind=Kind.START)] if starts else []
        for node_id, definition in self.definitions.items():
            css = self._highlight if node_id in highlighted else ""
            shapes.append(Shape(key=node_id, text=node_id, css=css, note=notes.get(node_id, "")))
            ways += self._edges(definition)
            for bar, fork in self._forks(definition).items():
                shapes.append(Shape(key=bar, kind=Kind.BAR))
                ways += fork
        for bar, join in self._joins().items():
            shapes.append(Shape(key=bar, kind=Kind.BAR))
            ways += join
        if any(way.head == EDGE_OF_RUN for way in ways):
            shapes.append(Shape(key=END, kind=Kind.END))
        return Chart(
            shapes=shapes,
            links=[Link(way.source, way.target, way.label) for way in ways],
            title=options.get("title") or "",
            direction=options.get("direction") or "TB",
        )

    def sources(self) -> list[str]:
        """The nodes that no way leads to: where runs of the graph begin, if there are any."""
        heads = {
            way.head
            for definition in self.definitions.values()
            for way in self._edges(definition)
            if way.head != definition.node_id
        }
        forks = [fork for definition in self.definitions.values() for fork in definition.forks]
        heads |= {node_id for fork in forks for node_id in (*fork.branches, fork.join)}
        return [node_id for node_id in self.definitions if node_id not in heads]

    def _edges(self, definition: NodeDefinition) -> list[_Way]:
        targets = (
            {target: definition.edges.get(target, Edge()) for target in self.definitions}
            if definition.open_ended
            else definition.edges
        )
        ends = {} if definition.end is None else {EDGE_OF_RUN: definition.end}
        return [
            _Way(definition.node_id, target, self._label(edge)) for target, edge in (*targets.items(), *ends.items())
        ]

    def _forks(self, definition: NodeDefinition) -> Mapping[str, list[_Way]]:
        """The bars that the ways of a fork part at."""
        bars: dict[str, list[_Way]] = {}
        for number, fork in enumerate(definition.forks, start=1):
            bar = f"{definition.node_id}__fork{number if number > 1 else ''}"
            to_bar = _Way(definition.node_id, bar, self._label(fork.edge))
            bars[bar] = [to_bar, *(_Way(bar, target) for target in fork.branches)]
        return bars

    def _joins(self) -> Mapping[str, list[_Way]]:
        """A bar before each node that takes values, and the ways to it."""
        joining: dict[str, dict[str, None]] = {}
        for region in regions(self.definitions):
            ends = dict.fromkeys(node_id for node_id in region.nodes if self.definitions[node_id].joins)
            joining[region.fork.join] = joining.get(region.fork.join, {}) | ends
        return {
            (bar := f"{join}__join"): [*(_Way(node_id, bar) for node_id in ends), _Way(bar, join)]
            for join, ends in joining.items()
        }

    def _label(self, edge: Edge) -> str:
        return edge.label if edge.label and self.options.get("edge_labels", True) else ""

    def _notes(self) -> Mapping[str, str]:
        if not self.options.get("notes", True):
            return {}
        given = self.options.get("remarks") or {}
        self._ids([*given])
        written = {node_id: definition.node.get_note() for node_id, definition in self.definitions.items()}
        return {node_id: note for node_id, note in {**written, **given}.items() if note}

    @property
    def _highlight(self) -> str:
        return self.options.get("highlight_css", HIGHLIGHT)

    def _ids(self, nodes: NodeRef | Sequence[NodeRef] | None) -> list[str]:
        if nodes is None:
            return []
        several = [nodes] if isinstance(nodes, str | type | BaseNode) else nodes
        ids = [node if isinstance(node, str) else node.get_node_id() for node in several]
        unknown = [node_id for node_id in ids if node_id not in self.definitions]
        if unknown:
            message = f"{', '.join(unknown)} is not in the graph; it has {', '.join(self.definitions)}"
            raise UserError(message)
        return ids


@dataclass(frozen=True)
class _Way:
    """An arrow."""

    tail: str
    head: str
    label: str = ""

    @property
    def source(self) -> str:
        """Its tail as SVG knows it."""
        return START if self.tail == EDGE_OF_RUN else self.tail

    @property
    def target(self) -> str:
        """Its head as networkx and SVG know it."""
        return END if self.head == EDGE_OF_RUN else self.head

    def __str__(self) -> str:
        from agentgraph.drawing import mermaid_text

        label = mermaid_text(self.label)
        return f"{self.tail} --> {self.head}{f': {label}' if label else ''}"


def _note(node_id: str, notes: Mapping[str, str]) -> Iterable[str]:
    from agentgraph.drawing import mermaid_text

    if node_id in notes:
        yield f"  note right of {node_id}"
        yield from (f"    {mermaid_text(line)}".rstrip() for line in notes[node_id].splitlines())
        yield "  end note"


def lifecycle_picture() -> Picture:
    """The life of a run, drawn from the table that decides it."""
    from agentgraph.drawing import Chart, Kind, Link, Shape

    first = next(iter(LIFECYCLE))
    ways = [_Way(EDGE_OF_RUN, first)]
    for status, moves in LIFECYCLE.items():
        ways += [_Way(status, target, event) for event, target in moves.items()] or [_Way(status, EDGE_OF_RUN)]
    inner = [Shape(key=status, text=status) for status in LIFECYCLE]
    chart = Chart(
        title="the life of a run",
        shapes=[Shape(key=START, kind=Kind.START), *inner, Shape(key=END, kind=Kind.END)],
        links=[Link(way.source, way.target, way.label) for way in ways],
    )
    return Picture("\n".join(["stateDiagram-v2", *(f"  {way}" for way in ways)]), chart)
