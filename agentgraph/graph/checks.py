"""What can be wrong with a graph as a whole; every problem is found, not only the first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import networkx

    from .definition import NodeDefinition

__all__ = ["END", "find_problems", "to_networkx", "unreachable_from"]

END = "End"
"""The id of the end in pictures, stored outcomes and networkx graphs."""


def find_problems(definitions: Mapping[str, NodeDefinition]) -> list[str]:
    """Everything that keeps these nodes from being a graph; empty if nothing does."""
    problems = [problem for definition in definitions.values() for problem in definition.problems]
    problems += [
        f"{node_id} may return {target}, which is not in the graph"
        for node_id, definition in definitions.items()
        for target in definition.edges
        if target not in definitions
    ]
    problems += [
        f"{node_id} is the name of the end; call the node otherwise" for node_id in definitions if node_id == END
    ]
    problems += [
        f"{node_id} is not a dataclass, so its fields cannot be known"
        for node_id, definition in definitions.items()
        if "__init__" in vars(definition.node) and "__dataclass_fields__" not in vars(definition.node)
    ]
    return problems + _without_way_out(definitions)


def to_networkx(definitions: Mapping[str, NodeDefinition]) -> networkx.DiGraph[str]:
    """The graph as networkx sees it: node ids, and `End` where some node may end the run; edges carry `label`."""
    import networkx

    graph: networkx.DiGraph[str] = networkx.DiGraph()
    graph.add_nodes_from(definitions)
    for node_id, definition in definitions.items():
        targets = (
            {target: definition.edges.get(target) for target in definitions}
            if definition.open_ended
            else definition.edges
        )
        for target, edge in targets.items():
            graph.add_edge(node_id, target, label=edge.label if edge else None)
        if definition.end is not None:
            graph.add_edge(node_id, END, label=definition.end.label)
    return graph


def unreachable_from(start: str, definitions: Mapping[str, NodeDefinition]) -> list[str]:
    """The nodes that no way leads to from `start`."""
    import networkx

    # The stubs of networkx leave the types of its algorithms open.
    reached: set[str] = networkx.descendants(to_networkx(definitions), start) | {start}  # pyright: ignore[reportUnknownMemberType]
    return [node_id for node_id in definitions if node_id not in reached]


def _without_way_out(definitions: Mapping[str, NodeDefinition]) -> list[str]:
    import networkx

    if all(definition.end is None for definition in definitions.values()):
        return []  # a graph without any end is legal: it runs until it is stopped
    graph = to_networkx(definitions)
    for node_id, definition in definitions.items():
        if definition.problems or any(target not in definitions for target in definition.edges):
            graph.add_edge(node_id, END)  # where it leads is not known: mended, it may lead out
    leads_out: set[str] = networkx.ancestors(graph, END) | {END}  # pyright: ignore[reportUnknownMemberType] - as above
    return [f"{node_id} can never reach an End" for node_id in definitions if node_id not in leads_out]
