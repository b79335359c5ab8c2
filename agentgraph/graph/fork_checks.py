"""What can be wrong with forks: the nodes inside of one are known from where its branches begin.

The *region* of a fork is what its branches can walk over: from the nodes they begin with along the edges, and past an
inner fork to the node that joins it. A branch ends with a `Join`, so no node of a region may end the run, some node of
it must join, and every node of it must be able to get there. Outside of every region nothing may join: neither a node
that no fork leads to, nor one that the root branch gets to as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from .definition import ForkEdge, NodeDefinition
from .faults import Fault
from .hints import hints_of
from .node import BranchError

__all__ = ["Region", "fork_problems", "regions"]


@dataclass(frozen=True)
class Region:
    """What the branches of one fork can walk over."""

    node_id: str
    """The node that forks."""
    fork: ForkEdge
    nodes: tuple[str, ...]
    complete: bool
    """Whether all is known: not so past a node that is annotated to return `BaseNode`."""


def regions(definitions: Mapping[str, NodeDefinition]) -> list[Region]:
    """Every fork of the graph."""
    return [
        _region(node_id, fork, definitions) for node_id, definition in definitions.items() for fork in definition.forks
    ]


def fork_problems(definitions: Mapping[str, NodeDefinition], names: Mapping[str, Any]) -> list[Fault]:
    """Everything that keeps the forks from working; `names` resolves annotations of classes inside functions."""
    found = regions(definitions)
    faults = [*_loose_joins(found, definitions)]
    for region in found:
        faults += _problems(region, definitions)
        if region.fork.join in definitions:
            faults += _wrong_values(region, definitions, names)
    return [*dict.fromkeys(faults)]


def _loose_joins(found: Iterable[Region], definitions: Mapping[str, NodeDefinition]) -> Iterable[Fault]:
    """The nodes that may join where there is no fork to join."""
    if not all(region.complete for region in found):
        return  # what a branch gets to is not known
    inside = {node_id for region in found for node_id in region.nodes}
    outside = [node_id for node_id in definitions if node_id not in inside]
    for node_id in outside:
        if definitions[node_id].joins:
            yield Fault(f"{node_id} may return a Join, and no fork leads to it", definitions[node_id].node.run)
    for node_id, way in _walked(outside, definitions).items():
        if node_id in inside and definitions[node_id].joins:
            told = f"{node_id} may return a Join, and {' -> '.join(way)} leads to it outside of every fork"
            yield Fault(told, definitions[node_id].node.run)


def _walked(begin: Iterable[str], definitions: Mapping[str, NodeDefinition]) -> dict[str, list[str]]:
    """The nodes that one branch gets to from these, each with the way that leads to it."""
    ways = {node_id: [node_id] for node_id in begin}
    todo = [*ways]
    while todo:
        node_id = todo.pop(0)
        for target in _next(definitions[node_id]):
            if target in definitions and target not in ways:
                ways[target] = [*ways[node_id], target]
                todo.append(target)
    return ways


def _region(node_id: str, fork: ForkEdge, definitions: Mapping[str, NodeDefinition]) -> Region:
    reached = (*_walked((each for each in fork.branches if each in definitions), definitions),)
    return Region(node_id, fork, reached, not any(definitions[each].open_ended for each in reached))


def _next(definition: NodeDefinition) -> Iterator[str]:
    """The nodes that come after one on the same branch."""
    yield from definition.edges
    for fork in definition.forks:
        yield fork.join


def _problems(region: Region, definitions: Mapping[str, NodeDefinition]) -> Iterable[Fault]:
    where = f"a branch of the fork in {region.node_id}"
    for node_id in region.nodes:
        if definitions[node_id].end is not None:
            told = f"{node_id} may end the run inside {where}: a branch ends with a Join"
            yield Fault(told, definitions[node_id].node.run)
    if not region.complete:
        return
    joining = {node_id for node_id in region.nodes if definitions[node_id].joins}
    if not joining:
        told = f"{region.fork.join} is never reached: no node of {where} returns a Join"
        yield Fault(told, definitions[region.node_id].node.run)
        return
    before: set[str] = set()
    while len(before) < len(joining):  # whoever leads to a node that can get to a Join can get there too
        before = joining
        joining = before | {each for each in region.nodes if any(to in before for to in _next(definitions[each]))}
    yield from (
        Fault(f"{each} can never reach a Join, inside {where}", definitions[each].node.run)
        for each in region.nodes
        if each not in joining
    )


def _wrong_values(
    region: Region, definitions: Mapping[str, NodeDefinition], names: Mapping[str, Any]
) -> Iterable[Fault]:
    join = region.fork.join
    taker = definitions[join].node
    expected = _taken(taker, names)
    if not expected:
        told = f"{join} takes no list of values as its first field, and the fork in {region.node_id} hands it one"
        yield Fault(told, taker)
        return
    for node_id in region.nodes:
        for given in definitions[node_id].joins:
            if not _fits(given, expected[0]):
                what = f"{join} takes a list of {_spelled(expected[0])}"
                yield Fault(f"{node_id} joins with {_spelled(given)}, and {what}", definitions[node_id].node.run)


def _taken(node: type[Any], names: Mapping[str, Any]) -> tuple[Any, ...]:
    """The type of the items of a node's first field; empty where that takes no list."""
    taken = [each for each in fields(node) if each.init] if is_dataclass(node) else []
    if not taken or taken[0].kw_only:
        return ()
    try:
        hint = hints_of(node, names)[taken[0].name]
    except NameError:
        return (Any,)
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if hint is Any or isinstance(hint, TypeVar):
        return (Any,)
    origin = get_origin(hint) or hint
    if not isinstance(origin, type) or not issubclass(list, origin):
        return ()
    return get_args(hint) or (Any,)


def _fits(given: Any, expected: Any) -> bool:
    """Whether values of one annotation may stand where another is expected; where that is hard to say, they may."""
    if get_origin(given) in (Union, UnionType):
        return all(_fits(each, expected) for each in get_args(given))
    if get_origin(expected) in (Union, UnionType):
        return any(_fits(given, each) for each in get_args(expected) if each is not BranchError)
    if Any in (given, expected) or not isinstance(given, type) or not isinstance(expected, type):
        return True
    return issubclass(given, expected)


def _spelled(annotation: Any) -> str:
    return annotation.__qualname__ if isinstance(annotation, type) else str(annotation)
