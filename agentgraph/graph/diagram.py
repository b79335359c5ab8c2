"""Draws a graph as the text of a Mermaid state diagram (https://mermaid.js.org/syntax/stateDiagram.html)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from typing_extensions import TypedDict

from agentgraph.exceptions import UserError

from .definition import NodeDefinition
from .fork_checks import regions
from .lifecycle import LIFECYCLE
from .node import BaseNode, Edge

__all__ = ["Diagram", "DiagramOptions", "NodeRef", "lifecycle_code"]

NodeRef: TypeAlias = str | type[BaseNode[Any, Any, Any]] | BaseNode[Any, Any, Any]
"""A node by its id, its class or an instance."""

HIGHLIGHT = "fill:#fdff32"


class DiagramOptions(TypedDict, total=False):
    """What `Graph.mermaid_code` and `mermaid_save` take."""

    start_node: NodeRef | Sequence[NodeRef] | None
    """Where an arrow comes in from outside; by default nowhere."""
    title: str | None
    """Written above the picture."""
    edge_labels: bool
    """Whether labels of edges are written; True by default."""
    notes: bool
    """Whether notes of nodes are drawn; True by default."""
    highlighted_nodes: NodeRef | Sequence[NodeRef] | None
    """Nodes to be set off."""
    highlight_css: str
    """How they are set off."""
    direction: Literal["TB", "LR", "RL", "BT"] | None
    """Where the picture runs to; by default the renderer decides."""


@dataclass(frozen=True)
class Diagram:
    """A graph to be drawn, and how."""

    definitions: Mapping[str, NodeDefinition]
    options: DiagramOptions

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
        for definition in self.definitions.values():
            lines += self._edges(definition)
            lines += self._forks(definition)
            lines += self._note(definition)
        lines += self._joins()
        highlighted = self._ids(options.get("highlighted_nodes"))
        if highlighted:
            lines += ["", f"classDef highlighted {options.get('highlight_css', HIGHLIGHT)}"]
            lines += [f"class {node_id} highlighted" for node_id in highlighted]
        return "\n".join(lines)

    def save(self, path: Path | str) -> None:
        """Write the text to a file."""
        Path(path).write_text(self.mermaid() + "\n", encoding="utf-8")

    def _edges(self, definition: NodeDefinition) -> Iterable[str]:
        targets = (
            {target: definition.edges.get(target, Edge()) for target in self.definitions}
            if definition.open_ended
            else definition.edges
        )
        arrows = [(target, edge) for target, edge in targets.items()]
        if definition.end is not None:
            arrows.append(("[*]", definition.end))
        for target, edge in arrows:
            yield f"  {definition.node_id} --> {target}{self._label(edge)}"

    def _forks(self, definition: NodeDefinition) -> Iterable[str]:
        for number, fork in enumerate(definition.forks, start=1):
            bar = f"{definition.node_id}__fork{number if number > 1 else ''}"
            yield f"  state {bar} <<fork>>"
            yield f"  {definition.node_id} --> {bar}{self._label(fork.edge)}"
            yield from (f"  {bar} --> {target}" for target in fork.branches)

    def _joins(self) -> Iterable[str]:
        """A bar before each node that takes values, and the ways to it."""
        joining: dict[str, dict[str, None]] = {}
        for region in regions(self.definitions):
            ends = dict.fromkeys(node_id for node_id in region.nodes if self.definitions[node_id].joins)
            joining[region.fork.join] = joining.get(region.fork.join, {}) | ends
        for join, ends in joining.items():
            yield f"  state {join}__join <<join>>"
            yield from (f"  {node_id} --> {join}__join" for node_id in ends)
            yield f"  {join}__join --> {join}"

    def _label(self, edge: Edge) -> str:
        return f": {edge.label}" if edge.label and self.options.get("edge_labels", True) else ""

    def _note(self, definition: NodeDefinition) -> Iterable[str]:
        note = definition.node.get_note() if self.options.get("notes", True) else None
        if note:
            yield f"  note right of {definition.node_id}"
            yield from (f"    {line}".rstrip() for line in note.splitlines())
            yield "  end note"

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


def lifecycle_code() -> str:
    """The life of a run, drawn from the table that decides it."""
    lines = ["stateDiagram-v2", "  [*] --> pending"]
    for status, moves in LIFECYCLE.items():
        lines += [f"  {status} --> {target}: {event}" for event, target in moves.items()]
        if not moves:
            lines.append(f"  {status} --> [*]")
    return "\n".join(lines)
