"""What the engine knows of a node class: its edges, read from the return annotation of `run`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from typing_extensions import get_original_bases

from .hints import hints_of
from .node import BaseNode, Edge, End

__all__ = ["NodeDefinition", "define", "type_arguments"]

NO_LABEL = Edge()


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
    problems: tuple[str, ...] = field(default=(), compare=False)
    """What is wrong with the annotation."""

    @property
    def node_id(self) -> str:
        return self.node.get_node_id()

    def leads_to(self, node: BaseNode[Any, Any, Any]) -> bool:
        """Whether `run` said that it may return this node."""
        return self.open_ended or node.get_node_id() in self.edges


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
    edges: dict[str, Edge] = {}
    end: Edge | None = None
    open_ended = False
    problems: list[str] = []
    for target, edge in _alternatives(hints["return"]):
        if target is End:
            end = edge
        elif target is BaseNode:
            open_ended = True
        elif isinstance(target, type) and issubclass(target, BaseNode):
            edges[target.get_node_id()] = edge
        else:
            problems.append(f"{node_id}.run may return {_spelled(target)}, which is neither a node nor an End")
    return NodeDefinition(node, edges, end, open_ended, tuple(problems))


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


def _alternatives(annotation: Any, edge: Edge = NO_LABEL) -> list[tuple[Any, Edge]]:
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return [pair for member in get_args(annotation) for pair in _alternatives(member, edge)]
    if origin is Annotated:
        inner, *extras = get_args(annotation)
        return _alternatives(inner, next((extra for extra in extras if isinstance(extra, Edge)), edge))
    return [(origin or annotation, edge)]


def _spelled(target: Any) -> str:
    return target.__qualname__ if isinstance(target, type) else repr(target)
