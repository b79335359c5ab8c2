"""Nodes, and what they return: the types a user's graph is written with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from inspect import cleandoc
from typing import Any, ClassVar, Generic, Literal, Never, NoReturn, TypeAlias, final

from typing_extensions import TypeIs, TypeVar

from agentgraph.exceptions import GraphRuntimeError, UserError

from .context import GraphRunContext
from .rates import RateLimit
from .retrying import RetryPolicy

__all__ = ["AnyFork", "BaseNode", "BranchError", "Edge", "End", "Fork", "Join", "is_fork"]

StateT = TypeVar("StateT", default=None)
DepsT = TypeVar("DepsT", default=None, contravariant=True)
ResultT = TypeVar("ResultT", default=Never, covariant=True)  # a node that never ends a run has no result
EndT = TypeVar("EndT", covariant=True)
ValueT = TypeVar("ValueT", covariant=True)
BranchT = TypeVar("BranchT", covariant=True)
JoinT = TypeVar("JoinT", covariant=True)


@dataclass(frozen=True)
class End(Generic[EndT]):
    """What a node returns to end the run with `data`."""

    data: EndT


@dataclass(frozen=True)
class Join(Generic[ValueT]):
    """What the last node of a branch returns: `value` goes to the node that joins the branches of the fork."""

    value: ValueT


@dataclass(frozen=True)
class BranchError:
    """Stands for the value of a branch that failed, where the fork says `on_error='collect'`."""

    branch: str
    """The path of the branch in the run, such as `7:2`."""
    type: str
    """The name of the exception's class."""
    message: str


@dataclass(frozen=True)
class Edge:
    """Says more about an edge, `-> Annotated[Next, Edge(label='…')]`; pictures show it."""

    label: str | None = None


class BaseNode(ABC, Generic[StateT, DepsT, ResultT]):
    """A node of a graph: a dataclass whose `run` does one thing and returns the node that comes next.

    The return annotation of `run` is the list of edges, so it names every node class that may come next, and
    `End[X]` if the run may end here; in a branch of a `Fork`, `Join[X]` if the branch may. Fields of the dataclass are
    what the node needs to run; they are stored.
    """

    docstring_notes: ClassVar[bool] = False
    """Whether the class's docstring is shown beside the node in pictures."""
    retry: ClassVar[RetryPolicy | None] = None
    """How often the node may try, if it raises an error; None: once. Each attempt begins with the state as it was, and
    what was done by `once` is not done again."""
    rate: ClassVar[RateLimit | None] = None
    """How often an attempt of such a node may begin; it waits for that before its `timeout` counts."""
    timeout: ClassVar[float | None] = None
    """Seconds that an attempt may take; over it, it ends with `NodeTimeout`. Threads cannot be stopped: a call that
    works in one is waited for."""

    @abstractmethod
    async def run(
        self, ctx: GraphRunContext[StateT, DepsT]
    ) -> BaseNode[StateT, DepsT, Any] | End[ResultT] | Join[Any]:  # any: of the fork that it is in
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


@final
@dataclass(frozen=True)
class Fork(BaseNode[Any, Any, Any], Generic[BranchT, JoinT]):  # it stands in graphs of any state and deps
    """Returned by a node to go on with several nodes side by side: `Fork([B(1), B(2)], join=C)`.

    Each branch walks on from its node with a state of its own, a copy of the state at the fork, and ends by returning
    `Join(value)`. When all have joined, `C(values)` runs with the state as it was at the fork; the values stand in
    the order of the branches. The annotation is `Fork[B, C]`, with a union where the branches begin with nodes of
    several classes.

    Raises:
        UserError: `limit` lets no branch run.
    """

    branches: Sequence[BranchT]
    """The node that each branch begins with. None at all: `C([])` comes next."""
    _: KW_ONLY
    join: type[JoinT]
    """The node class that takes the values: its first field is their list."""
    limit: int | None = None
    """How many branches run at once; one that waits for an answer does not count."""
    on_error: Literal["raise", "collect"] = "raise"
    """What the first branch that fails does: it cancels the others and fails what forked; or it is handed to the join
    as a `BranchError`, and the others go on.
    """

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            message = f"a fork with limit={self.limit} never runs a branch; give `limit` a number above 0"
            raise UserError(message)

    async def run(self, ctx: GraphRunContext[Any, Any]) -> NoReturn:
        """Not to be called: the run walks the branches.

        Raises:
            GraphRuntimeError: always.
        """
        message = f"no node runs a Fork: return the fork, and the run walks its branches to {self.join.__name__}"
        raise GraphRuntimeError(message)


AnyFork: TypeAlias = Fork[BaseNode[Any, Any, Any], BaseNode[Any, Any, Any]]
"""Of any nodes."""


def is_fork(value: object) -> TypeIs[AnyFork]:
    """Whether branches come next."""
    return type(value) is Fork  # asked several times a step; isinstance is slow for an abstract class
