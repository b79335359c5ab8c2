"""What the engine knows of a node class: its edges, read from the return annotation of `run`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from typing_extensions import get_original_bases

from .hints import hints_of
from .node import AnyFork, BaseNode, Edge, End, Fork, Join

__all__ = ["ForkEdge", "NodeDefinition", "define", "type_arguments"]

NO_LABEL = Edge()


@dataclass(frozen=True)
class ForkEdge:
    """One way in which a node may fork."""

    branches: tuple[str, ...]
    """The ids of the nodes that a branch may begin with."""
    join: str
    """The id of the node that takes the values."""
    edge: Edge = NO_LABEL


@dataclass(frozen=True)
class NodeDefinition:
    """A node class and where it can lead."""

    node: type[BaseNode[Any, Any, Any]]
    """The class."""
    edges: Mapping[str, Edge]
    """The ids of the nodes that may come next."""
    end: Edge | None
    """The edge to the end of the run, if it may end here."""
    open_ended: bool = False
    """Annotated to return `BaseNode`: any node of the graph may come next."""
    forks: tuple[ForkEdge, ...] = ()
    """How it may go on with several nodes side by side."""
    joins: tuple[Any, ...] = ()
    """The types of the values that it may end a branch with."""
    problems: tuple[str, ...] = field(default=(), compare=False)
    """What is wrong with the annotation."""

    @property
    def node_id(self) -> str:
        return self.node.get_node_id()

    def leads_to(self, node: BaseNode[Any, Any, Any]) -> bool:
        """Whether `run` said that it may return this node."""
        return self.open_ended or node.get_node_id() in self.edges

    def forks_into(self, fork: AnyFork) -> bool:
        """Whether `run` said that it may go on like this."""
        begun = {node.get_node_id() for node in fork.branches}
        join = fork.join.get_node_id()
        return self.open_ended or any(join == each.join and begun <= {*each.branches} for each in self.forks)


def define(node: type[BaseNode[Any, Any, Any]], names: Mapping[str, Any]) -> NodeDefinition:
    """Read a node class; `names` resolves annotations of classes that were defined inside functions."""
    node_id = node.get_node_id()
    try:
        hints = hints_of(node, names, node.run)
    except NameError as error:
        return NodeDefinition(
            node, {}, None, problems=(f"{node_id}.run is annotated with {error.name!r}, unknown here",)
        )
    if "return" not in hints:
        return NodeDefinition(node, {}, None, problems=(f"{node_id}.run has no return annotation",))
    found = _Found(node_id)
    for target, edge in _alternatives(hints["return"]):
        found.add(target, edge)
    return NodeDefinition(
        node,
        found.edges,
        found.end,
        found.open_ended,
        forks=tuple(found.forks),
        joins=tuple(found.joins),
        problems=tuple(found.problems),
    )


def type_arguments(node: type[BaseNode[Any, Any, Any]]) -> tuple[Any, ...]:
    """What a class gave for the state, deps and result of `BaseNode`; shorter where it gave fewer."""
    for base in get_original_bases(node):
        origin = get_origin(base)
        if origin is BaseNode:
            return tuple(None if arg is NoneType else arg for arg in get_args(base))
        if (
            isinstance(origin or base, type)
            and issubclass(origin or base, BaseNode)
            and (origin or base) is not BaseNode
        ):
            inherited = type_arguments(origin or base)
            given = iter(get_args(base))
            return tuple(next(given, arg) if isinstance(arg, TypeVar) else arg for arg in inherited)
    return ()


@dataclass
class _Found:
    """What a return annotation says, member by member."""

    node_id: str
    edges: dict[str, Edge] = field(default_factory=dict[str, Edge])
    end: Edge | None = None
    open_ended: bool = False
    forks: list[ForkEdge] = field(default_factory=list[ForkEdge])
    joins: list[Any] = field(default_factory=list[Any])  # any annotation
    problems: list[str] = field(default_factory=list[str])

    def add(self, target: Any, edge: Edge) -> None:  # any annotation
        origin = get_origin(target) or target
        if origin is End:
            self.end = edge
        elif origin is BaseNode:
            self.open_ended = True
        elif origin is Join:
            self.joins.append(next(iter(get_args(target)), Any))
        elif origin is Fork:
            self._add_fork(target, edge)
        elif _is_node(origin):
            self.edges[origin.get_node_id()] = edge
        else:
            what = _spelled(origin)
            self.problems.append(f"{self.node_id}.run may return {what}, which is neither a node nor an End")

    def _add_fork(self, target: Any, edge: Edge) -> None:
        branches, join = [
            [get_origin(each) or each for each, _ in _alternatives(argument)] for argument in get_args(target)
        ] or ([], [])
        if not branches or len(join) != 1 or not all(_is_node(each) for each in (*branches, *join)):
            self.problems.append(
                f"{self.node_id}.run may return a Fork of unknown nodes: annotate it `Fork[Branch, Joined]`"
            )
            return
        ids = tuple(each.get_node_id() for each in branches)
        self.forks.append(ForkEdge(ids, join[0].get_node_id(), edge))


def _is_node(target: Any) -> bool:
    return isinstance(target, type) and issubclass(target, BaseNode) and target not in (BaseNode, Fork)


def _alternatives(annotation: Any, edge: Edge = NO_LABEL) -> list[tuple[Any, Edge]]:
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return [pair for member in get_args(annotation) for pair in _alternatives(member, edge)]
    if origin is Annotated:
        inner, *extras = get_args(annotation)
        return _alternatives(inner, next((extra for extra in extras if isinstance(extra, Edge)), edge))
    return [(annotation, edge)]


def _spelled(target: Any) -> str:
    return target.__qualname__ if isinstance(target, type) else repr(target)
