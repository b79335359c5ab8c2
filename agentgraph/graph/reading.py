"""Reads the values of a run out of its rows, and notes everything that does not fit, so that all of it can be told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from agentgraph.exceptions import DecodeError, RunNotResumable

from .appended import AppendedList
from .body import Fold, as_list
from .checks import END
from .node import AnyFork, BaseNode, End, Fork
from .shapes import Shape
from .upgrades import Upgrades

__all__ = ["Reader"]

T = TypeVar("T")

Node = BaseNode[Any, Any, Any]  # nodes of any graph


@dataclass(frozen=True)
class Reader:
    """What one run is read with. A value that does not fit is None, and noted: `check` before anything is used."""

    nodes: Mapping[str, Shape]
    state: Shape
    end: TypeAdapter[Any]
    upgrades: Upgrades
    run_id: str
    step: int
    """The newest one."""
    errors: list[DecodeError | RunNotResumable] = field(default_factory=list[DecodeError | RunNotResumable])

    def check(self) -> None:
        """Raise the first thing noted, if there is any."""
        if self.errors:
            raise self.errors[0]

    def small(self, state: bytes) -> Mapping[str, bytes]:
        """The small fields of the state, as they were stored."""
        try:
            return {name: to_json(value) for name, value in from_json(state).items()}
        except (ValueError, AttributeError) as error:
            self._undecodable("the state", str(error), error)
            return {}

    def upgraded(self, fold: Fold, small: Mapping[str, bytes]) -> Mapping[str, bytes]:
        """The same as they are today."""
        return self._upgrade(self.state.name, lambda: self.upgrades.of_state(small, fold.lists), small)

    def appended(self, name: str, fold: Fold, small: Mapping[str, bytes]) -> AppendedList[Any]:
        """A list of the state that is stored by items."""
        whole, what = self.state.whole_lists[name], f"{self.state.name}.{name}"
        if name in small:  # it was a plain field when it was stored, and is still to be stored by items
            return AppendedList[Any](self.value(whole, small[name], what) or ())
        raw = fold.lists.get(name, ())
        read = self.state.lists[name].validate_json
        try:  # one by one: to join them first would take their memory once more
            items = AppendedList[Any](map(read, raw))
        except ValidationError:
            items = AppendedList[Any](self.value(whole, as_list(raw), what) or ())  # says which of them
        items.mark_stored()
        return items

    def value(self, adapter: TypeAdapter[Any], raw: bytes, what: str) -> Any:
        """A single value."""
        try:
            return adapter.validate_json(raw)
        except ValidationError as error:
            reasons = "; ".join(
                f"{'.'.join(map(str, each['loc'])) or 'value'}: {each['msg']}" for each in error.errors()
            )
            self._undecodable(what, reasons, error)

    def pending(self, fold: Fold, lists: Mapping[str, Sequence[Any]]) -> Node | End[Any]:
        """The node that comes next; `lists` are those of the state that are as they were stored."""
        if fold.lost:
            self.errors.append(RunNotResumable(self.run_id, [f"its result was not stored: {fold.lost}"]))
            return End(None)
        if fold.to == END:
            return End(self.value(self.end, fold.fields.get("data", b""), "the result"))
        as_stored: tuple[str, Mapping[str, bytes]] = (fold.to, fold.fields)
        node_id, fields = self._upgrade(fold.to, lambda: self.upgrades.of_node(*as_stored), as_stored)
        shape = self.nodes.get(node_id)
        if shape is None:
            problem = f"it goes on at {node_id}, which is not in the graph; there are {', '.join(self.nodes)}"
            self.errors.append(RunNotResumable(self.run_id, [problem]))
            return End(None)
        values: dict[str, Any] = {}
        for name, adapter in shape.fields.items():
            list_name, index = fold.items.get(name, ("", 0))
            if index < len(lists.get(list_name, ())) and fields.get(name) == fold.fields[name]:
                values[name] = lists[list_name][
                    index
                ]  # the field and the item are one object, as they were when stored
            elif name in fields:
                values[name] = self.value(adapter, fields[name], f"{shape.name}.{name}")
        made: Node | None = self.make(shape, values)
        return End(None) if made is None else made

    def branches(self, fold: Fold) -> list[str]:
        """The ids of the nodes that the branches of a fork begin with."""
        return [*self._head(fold)["nodes"]]

    def fork(self, fold: Fold) -> AnyFork:
        """The fork at which a branch stands."""
        head = self._head(fold)
        nodes = [self.pending(fold.branch(position, node), {}) for position, node in enumerate(head["nodes"])]
        join: tuple[str, Mapping[str, bytes]] = (head["join"], {})
        join_id, _ = self._upgrade(join[0], lambda: self.upgrades.of_node(*join), join)
        shape = self.nodes.get(join_id)
        if shape is None:
            problem = (
                f"its branches are joined by {join_id}, which is not in the graph; there are {', '.join(self.nodes)}"
            )
            self.errors.append(RunNotResumable(self.run_id, [problem]))
            return Fork[Node, Node]((), join=Fork[Node, Node])  # never used: what is wrong is noted
        first = [node for node in nodes if isinstance(node, BaseNode)]
        return Fork(first, join=shape.cls, limit=head["limit"], on_error=head["on_error"])

    def joined(self, fold: Fold, adapter: TypeAdapter[Any], branch: str) -> Any:  # of whatever type it joins with
        """The value that a branch has ended with."""
        if fold.lost:
            self.errors.append(
                RunNotResumable(self.run_id, [f"the value of branch {branch} was not stored: {fold.lost}"])
            )
            return None
        return self.value(adapter, fold.fields["value"], f"the value of branch {branch}")

    def _head(self, fold: Fold) -> Mapping[str, Any]:  # any: JSON
        head: Mapping[str, Any] = from_json(fold.fields["fork"])
        return head

    def make(self, shape: Shape, values: Mapping[str, Any]) -> Any:
        """An object of the class; None where something was noted of its fields."""
        if any(isinstance(error, DecodeError) and error.field.split(".")[0] == shape.name for error in self.errors):
            return None
        try:
            return shape.make(values)
        except TypeError as error:
            problem = f"{shape.name} cannot be made of the stored {', '.join(values) or 'nothing'}: {error}"
            refusal = RunNotResumable(self.run_id, [problem])
            refusal.__cause__ = error
            self.errors.append(refusal)

    def _upgrade(self, name: str, upgrade: Callable[[], T], as_stored: T) -> T:
        try:
            return upgrade()
        except Exception as error:  # noqa: BLE001 - whatever the user's function raises
            self._undecodable(name, f"its upgrade failed: {type(error).__name__}: {error}", error)
            return as_stored

    def _undecodable(self, what: str, reason: str, cause: Exception) -> None:
        error = DecodeError(self.run_id, self.step, what, reason)
        error.__cause__ = cause
        self.errors.append(error)
