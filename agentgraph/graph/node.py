"""Nodes, and what they return: the types a user's graph is written with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from inspect import cleandoc
from typing import Any, ClassVar, Generic

from typing_extensions import TypeVar

from .context import GraphRunContext

__all__ = ["BaseNode", "Edge", "End"]

StateT = TypeVar("StateT", default=None)
DepsT = TypeVar("DepsT", default=None, contravariant=True)
ResultT = TypeVar("ResultT", default=Any, covariant=True)  # a node that never ends a run has no result type
EndT = TypeVar("EndT", covariant=True)


@dataclass(frozen=True)
class End(Generic[EndT]):
    """What a node returns to end the run with `data`."""

    data: EndT


@dataclass(frozen=True)
class Edge:
    """Says more about an edge, `-> Annotated[Next, Edge(label='…')]`; pictures show it."""

    label: str | None = None


class BaseNode(ABC, Generic[StateT, DepsT, ResultT]):
    """A node of a graph: a dataclass whose `run` does one thing and returns the node that comes next.

    The return annotation of `run` is the list of edges, so it names every node class that may come next, and
    `End[X]` if the run may end here. Fields of the dataclass are what the node needs to run; they are stored.
    """

    docstring_notes: ClassVar[bool] = False
    """Whether the class's docstring is shown beside the node in pictures."""

    @abstractmethod
    async def run(self, ctx: GraphRunContext[StateT, DepsT]) -> BaseNode[StateT, DepsT, Any] | End[ResultT]:
        """Take this node's turn."""
        ...

    def interrupted(self, ctx: GraphRunContext[StateT, DepsT]) -> BaseNode[StateT, DepsT, Any] | None:
        """What the step comes to when it ends in the middle: the node to go on with, the state being changed.

        The step is then committed as one that led there, and the run is cancelled, or fails if it was an error that
        ended the step. None, the default: the step did not happen; when the run is resumed, this node runs again.
        """
        return None

    @classmethod
    def get_node_id(cls) -> str:
        """The name by which the graph, stored runs and pictures know the class."""
        return cls.__name__

    @classmethod
    def get_note(cls) -> str | None:
        """The note that pictures show, or None."""
        return cleandoc(cls.__doc__) if cls.docstring_notes and cls.__doc__ else None
