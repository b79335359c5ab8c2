"""What a graph is, apart from any run: its nodes, checked as a whole, its types, and how its runs are stored."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from types import FrameType, NoneType
from typing import Any, Generic, Union, cast

from typing_extensions import TypeVar

from agentgraph.exceptions import GraphRuntimeError, GraphSetupError, UserError

from .adapters import adapter_for
from .checks import find_problems, unreachable_from
from .codec import Codec
from .definition import NodeDefinition, define, type_arguments
from .faults import Fault
from .node import BaseNode, is_fork
from .policies import policies_of, policy_problems
from .shapes import shape_of
from .upgrades import Upgrades

__all__ = ["Blueprint"]

StateT = TypeVar("StateT", default=None)
DepsT = TypeVar("DepsT", default=None)
ResultT = TypeVar("ResultT", default=None)


class Blueprint(Generic[StateT, DepsT, ResultT]):
    """A typed state machine whose runs can be stepped through, stored and resumed.

    Args:
        nodes: every node class; the return annotations of their `run` methods are the edges.
        name: by which stored runs know their graph; else the name of the variable it is assigned to.
        state_type: the class of the state, a dataclass or pydantic model; else what the nodes say.
        run_end_type: the type of the result; else what the nodes say.
        usage_of: reads counters from the fields of a state, to be kept with each step that changes it.
        check: whether to look for problems; False for nodes that are known to be right.
        upgrades: what became of nodes and fields that stored runs still know by other names.

    Raises:
        GraphSetupError: names everything that keeps the nodes from being a graph.
    """

    def __init__(
        self,
        *,
        nodes: Sequence[type[BaseNode[StateT, DepsT, ResultT]]],
        name: str | None = None,
        state_type: type[StateT] | None = None,
        run_end_type: Any = None,  # any annotation that pydantic understands
        usage_of: Callable[[StateT], Mapping[str, int]] | None = None,
        check: bool = True,
        upgrades: Upgrades | None = None,
    ) -> None:
        self.name = name
        self.usage_of: Callable[[StateT], Mapping[str, int]] = usage_of or _no_usage
        self._names = _local_names(inspect.currentframe())
        self._state_type, self._run_end_type = state_type, run_end_type
        self._starts: set[str] = set()
        self._checked = check
        self._upgrades = upgrades or Upgrades()
        names = {**self._names, **{each.__name__: each for each in nodes}}
        self.definitions: Mapping[str, NodeDefinition] = {node.get_node_id(): define(node, names) for node in nodes}
        """What is known of each node, by its id."""
        problems = [] if not check else _duplicates(nodes) + find_problems(self.definitions, names)
        problems += policy_problems(nodes)
        problems += [Fault(problem) for problem in self._upgrades.problems({*self.definitions})]
        title = f"graph {name!r}" if name else "the graph"
        _refuse(f"{title} cannot work", problems)
        self.policies = policies_of(nodes)
        """What nodes say about how their turns are taken; of those that do."""
        known = {node_id: each.node for node_id, each in self.definitions.items()}
        self.successors: Mapping[type[BaseNode[Any, Any, Any]], Collection[type]] = {
            each.node: frozenset(known[to] for to in (known if each.open_ended else each.edges) if to in known)
            for each in self.definitions.values()
        }
        """The node classes that may follow each node class."""

    def definition_of(self, node: BaseNode[Any, Any, Any]) -> NodeDefinition:
        """What is known of the node's class.

        Raises:
            GraphRuntimeError: the class is not in this graph.
        """
        definition = self.definitions.get(node.get_node_id())
        if definition is None or type(node) is not definition.node:
            message = (
                f"{type(node).__name__} is not a node of graph {self.name!r}; it has {', '.join(self.definitions)}"
            )
            raise GraphRuntimeError(message)
        return definition

    def check_node(self, node: BaseNode[Any, Any, Any]) -> None:
        """Refuse a node, or a fork to nodes, of another graph.

        Raises:
            GraphRuntimeError: names the class that is not in this graph.
        """
        if not is_fork(node):
            self.definition_of(node)
            return
        for branch in node.branches:
            self.definition_of(branch)
        if node.join not in [definition.node for definition in self.definitions.values()]:
            message = f"{node.join.__name__} is not a node of graph {self.name!r}; it has {', '.join(self.definitions)}"
            raise GraphRuntimeError(message)

    def other_graph(self, name: str) -> str | None:
        """Why a run of the graph with this name is none of this graph's; None if it is."""
        own = self.name or "graph"
        return None if name == own else f"it is a run of graph {name!r}, not of {own!r}"

    def check_start(self, node: BaseNode[Any, Any, Any]) -> None:
        """Refuse a node of another graph; warn, once, of nodes that cannot be reached from this one."""
        self.definition_of(node)
        start = node.get_node_id()
        if not self._checked or start in self._starts:
            return
        self._starts.add(start)
        stranded = unreachable_from(start, self.definitions)
        if stranded:
            named = [str(Fault(node_id, self.definitions[node_id].node)) for node_id in stranded]
            warnings.warn(f"no way leads from {start} to {', '.join(named)}", stacklevel=4)

    def check_breakpoints(self, nodes: Sequence[type[BaseNode[Any, Any, Any]]], *, stored: bool) -> None:
        """Refuse to stop before nodes of other graphs, or a run that could not be found again.

        Raises:
            UserError: says which.
        """
        known = [definition.node for definition in self.definitions.values()]
        strange = [node.__name__ for node in nodes if node not in known]
        if strange:
            there_are = ", ".join(self.definitions)
            raise UserError(
                f"`break_before` names {', '.join(strange)}, not in graph {self.name!r}: it has {there_are}"
            )
        if nodes and not stored:
            raise UserError("a run that `break_before` stops needs a store to be found in: give `store=`")

    def check_state(self, state: object) -> None:
        """Refuse to store a state that is not what the nodes say.

        Raises:
            UserError: names both.
        """
        expected = self.codec.state.cls
        if not isinstance(state, expected):
            needed = "use no state" if expected is NoneType else f"use a state of type {expected.__name__}"
            message = f"the nodes of graph {self.name!r} {needed}, and `state` is {type(state).__name__}"
            raise UserError(message)

    @cached_property
    def state_type(self) -> type[Any]:
        """The class of the state; NoneType where the nodes use none."""
        given = self._state_type
        return given if given is not None else cast("type[Any]", self._type_argument(0, None) or NoneType)

    @cached_property
    def appended_fields(self) -> tuple[str, ...]:
        """The fields of the state that are stored by items."""
        return (*shape_of(self.state_type, self._names, lists=True).lists,)

    @cached_property
    def run_end_type(self) -> Any:  # any annotation that pydantic understands
        """The type of the result."""
        return self._run_end_type if self._run_end_type is not None else self._type_argument(2, Any)

    @cached_property
    def codec(self) -> Codec:
        """What its stored runs are written and read with.

        Raises:
            GraphSetupError: names every field that cannot be stored.
        """
        state = shape_of(self.state_type, self._names, lists=True)
        nodes = {node_id: shape_of(each.node, self._names) for node_id, each in self.definitions.items()}
        faults = [Fault(problem, shape.cls) for shape in (state, *nodes.values()) for problem in shape.problems]
        _refuse(f"runs of graph {self.name!r} cannot be stored", faults)
        joins = {
            node_id: adapter_for(Union[each.joins])  # noqa: UP007 - of types that only a run knows
            for node_id, each in self.definitions.items()
            if each.joins
        }
        return Codec(nodes, state, adapter_for(self.run_end_type), self._upgrades, joins)

    def _type_argument(self, position: int, missing: Any) -> Any:
        for definition in self.definitions.values():
            arguments = type_arguments(definition.node)
            if len(arguments) > position and not isinstance(arguments[position], TypeVar):
                return arguments[position]
        return missing


def _no_usage(_: object) -> Mapping[str, int]:
    return {}


def _refuse(why: str, faults: Sequence[Fault]) -> None:
    if faults:
        raise GraphSetupError(f"{why}; {len(faults)} problem(s):", [str(fault) for fault in faults])


def _duplicates(nodes: Sequence[type[BaseNode[Any, Any, Any]]]) -> list[Fault]:
    ids = [node.get_node_id() for node in nodes]
    named = {node.get_node_id(): node for node in nodes}
    return [Fault(f"{each} names {ids.count(each)} nodes", node) for each, node in named.items() if ids.count(each) > 1]


def _local_names(frame: FrameType | None) -> Mapping[str, Any]:
    # Annotations of nodes that a function defines are resolved where the graph is made.
    caller = frame.f_back if frame is not None else None
    while caller is not None and caller.f_globals.get("__name__") == "typing":
        caller = caller.f_back  # `Graph[State, None, str](…)` is called by typing
    return dict(caller.f_locals) if caller is not None else {}
