"""What can be wrong with a graph as a whole; every problem is found, not only the first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .faults import Fault
from .fork_checks import fork_problems, regions

if TYPE_CHECKING:
    import networkx

    from .definition import NodeDefinition
    from .node import Edge

__all__ = ["END", "FAILED", "FORK", "JOIN", "find_problems", "to_networkx", "unreachable_from"]

END = "End"
"""The id of the end in pictures, stored outcomes and networkx graphs."""

FORK = "Fork"
"""What stored outcomes call a fork: the branches come next."""

JOIN = "Join"
"""What stored outcomes call the end of a branch."""

FAILED = "(failed)"
"""The same, of a branch whose error went to the join."""

_TAKEN = (END, FORK, JOIN)


def find_problems(definitions: Mapping[str, NodeDefinition], names: Mapping[str, Any]) -> list[Fault]:
    """Everything that keeps these nodes from being a graph; empty if nothing does.

    `names` resolves annotations of classes that were defined inside functions.
    """
    faults = [
        Fault(problem, definition.node.run) for definition in definitions.values() for problem in definition.problems
    ]
    faults += [
        Fault(f"{node_id} may return {target}, which is not in the graph", definition.node.run)
        for node_id, definition in definitions.items()
        for target in dict.fromkeys(_targets(definition))
        if target not in definitions
    ]
    faults += [
        Fault(f"{node_id} is a name of the engine's own; call the node otherwise", definition.node)
        for node_id, definition in definitions.items()
        if node_id in _TAKEN
    ]
    faults += [
        Fault(f"{node_id} is not a dataclass, so its fields cannot be known", definition.node)
        for node_id, definition in definitions.items()
        if "__init__" in vars(definition.node) and "__dataclass_fields__" not in vars(definition.node)
    ]
    return faults + fork_problems(definitions, names) + _without_way_out(definitions)


def _targets(definition: NodeDefinition) -> Iterable[str]:
    yield from definition.edges
    for fork in definition.forks:
        yield from fork.branches
        yield fork.join


def to_networkx(definitions: Mapping[str, NodeDefinition]) -> networkx.DiGraph[str]:
    """The graph as networkx sees it: node ids, and `End` where some node may end the run.

    Edges carry `label` and `kind`: `next`, `fork` to where a branch begins, `join` from where it may end.
    """
    import networkx

    graph: networkx.DiGraph[str] = networkx.DiGraph()
    graph.add_nodes_from(definitions)
    for node_id, definition in definitions.items():
        for target, edge in _ways(definition, definitions):
            graph.add_edge(node_id, target, label=edge.label if edge else None, kind="next")
        for fork in definition.forks:
            graph.add_edges_from(((node_id, target) for target in fork.branches), label=fork.edge.label, kind="fork")
    for region in regions(definitions):
        joining = [node_id for node_id in region.nodes if definitions[node_id].joins]
        graph.add_edges_from(((node_id, region.fork.join) for node_id in joining), label=None, kind="join")
    return graph


def _ways(definition: NodeDefinition, definitions: Mapping[str, NodeDefinition]) -> Iterable[tuple[str, Edge | None]]:
    if definition.open_ended:
        yield from ((target, definition.edges.get(target)) for target in definitions)
    else:
        yield from definition.edges.items()
    if definition.end is not None:
        yield END, definition.end


def unreachable_from(start: str, definitions: Mapping[str, NodeDefinition]) -> list[str]:
    """The nodes that no way leads to from `start`."""
    import networkx

    # The stubs of networkx leave the types of its algorithms open.
    reached: set[str] = networkx.descendants(to_networkx(definitions), start) | {start}  # pyright: ignore[reportUnknownMemberType]
    return [node_id for node_id in definitions if node_id not in reached]


def _without_way_out(definitions: Mapping[str, NodeDefinition]) -> list[Fault]:
    import networkx

    if all(definition.end is None for definition in definitions.values()):
        return []  # a graph without any end is legal: it runs until it is stopped
    graph = to_networkx(definitions)
    for node_id, definition in definitions.items():
        if definition.problems or any(target not in definitions for target in _targets(definition)):
            graph.add_edge(node_id, END)  # where it leads is not known: mended, it may lead out
    leads_out: set[str] = networkx.ancestors(graph, END) | {END}  # pyright: ignore[reportUnknownMemberType] - as above
    stuck = [node_id for node_id in definitions if node_id not in leads_out]
    return [Fault(_stuck(node_id, graph), definitions[node_id].node.run) for node_id in stuck]


def _stuck(node_id: str, graph: networkx.DiGraph[str]) -> str:
    """What is to be said of a node that cannot reach an End: maybe it is in a cycle that nothing leads out of."""
    import networkx

    # The stubs of networkx leave the types of its algorithms open.
    after: set[str] = networkx.descendants(graph, node_id)  # pyright: ignore[reportUnknownMemberType]
    before: set[str] = networkx.ancestors(graph, node_id)  # pyright: ignore[reportUnknownMemberType]
    told = f"{node_id} can never reach an End"
    ways: list[list[str]] = [
        networkx.shortest_path(graph, each, node_id)  # pyright: ignore[reportUnknownMemberType]
        for each in graph.successors(node_id)
        if each in before or each == node_id
    ]
    if not ways or not after <= before:
        return told
    return f"{told}: {' -> '.join([node_id, *min(ways, key=len)])} is a cycle without a way out"
