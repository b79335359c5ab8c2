"""What can be wrong with forks: the nodes inside of one are known from where its branches begin.

The *region* of a fork is what its branches can walk over: from the nodes they begin with along the edges, and past an
inner fork to the node that joins it. A branch ends with a `Join`, so no node of a region may end the run, some node of
it must join, and every node of it must be able to get there. Outside of every region nothing may join.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from .definition import ForkEdge, NodeDefinition
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


def fork_problems(definitions: Mapping[str, NodeDefinition], names: Mapping[str, Any]) -> list[str]:
    """Everything that keeps the forks from working; `names` resolves annotations of classes inside functions."""
    found = regions(definitions)
    inside = {node_id for region in found for node_id in region.nodes}
    loose = any(not region.complete for region in found)
    problems = [
        f"{node_id} may return a Join, and no fork leads to it"
        for node_id, definition in definitions.items()
        if definition.joins and node_id not in inside and not loose
    ]
    for region in found:
        problems += _problems(region, definitions)
        if region.fork.join in definitions:
            problems += _wrong_values(region, definitions, names)
    return [*dict.fromkeys(problems)]


def _region(node_id: str, fork: ForkEdge, definitions: Mapping[str, NodeDefinition]) -> Region:
    reached = dict.fromkeys(each for each in fork.branches if each in definitions)
    todo = [*reached]
    while todo:
        for target in _next(definitions[todo.pop()]):
            if target in definitions and target not in reached:
                reached[target] = None
                todo.append(target)
    return Region(node_id, fork, tuple(reached), not any(definitions[each].open_ended for each in reached))


def _next(definition: NodeDefinition) -> Iterator[str]:
    """The nodes that come after one on the same branch."""
    yield from definition.edges
    for fork in definition.forks:
        yield fork.join


def _problems(region: Region, definitions: Mapping[str, NodeDefinition]) -> Iterable[str]:
    where = f"a branch of the fork in {region.node_id}"
    for node_id in region.nodes:
        if definitions[node_id].end is not None:
            yield f"{node_id} may end the run inside {where}: a branch ends with a Join"
    if not region.complete:
        return
    joining = {node_id for node_id in region.nodes if definitions[node_id].joins}
    if not joining:
        yield f"{region.fork.join} is never reached: no node of {where} returns a Join"
        return
    before: set[str] = set()
    while len(before) < len(joining):  # whoever leads to a node that can get to a Join can get there too
        before = joining
        joining = before | {each for each in region.nodes if any(to in before for to in _next(definitions[each]))}
    yield from (f"{each} can never reach a Join, inside {where}" for each in region.nodes if each not in joining)


def _wrong_values(region: Region, definitions: Mapping[str, NodeDefinition], names: Mapping[str, Any]) -> Iterable[str]:
    join = region.fork.join
    expected = _taken(definitions[join].node, names)
    if not expected:
        yield f"{join} takes no list of values as its first field, and the fork in {region.node_id} hands it one"
        return
    for node_id in region.nodes:
        for given in definitions[node_id].joins:
            if not _fits(given, expected[0]):
                what = f"{join} takes a list of {_spelled(expected[0])}"
                yield f"{node_id} joins with {_spelled(given)}, and {what}"


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
