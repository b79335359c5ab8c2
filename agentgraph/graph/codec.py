"""Between the values of a run and the bytes of its rows. Data only: nothing is imported by a stored name.

A node is known by its id in the graph, its fields and those of the state by their annotations; pydantic turns them
into JSON and back. A field that a class has gained since, with a default, and one that it has lost, are no obstacle.
What does not fit is a `DecodeError` that names the run, the step and the field.

`Codec` belongs to a graph and is made once. `Ledger` belongs to a live run: it knows what was stored last, and so what
the next commit has to write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from agentgraph.exceptions import DecodeError, RunNotResumable, StoreError

from .appended import AppendedList, adopt
from .body import BodyWriter, Fold, Slot, as_list, input_slot, item_slot, lost_slot
from .checks import END
from .node import BaseNode, End
from .shapes import Shape
from .store import StepRecord

__all__ = ["EDIT", "Codec", "Encoded", "Ledger", "Restored"]

EDIT = "(edit)"
"""Stands for the node in a step that changed what comes next instead of running it."""

SNAPSHOT_EVERY = 64
"""A step whose seq is a multiple of it stores the whole small state, so that reading it never goes far back."""

Node = BaseNode[Any, Any, Any]  # the codec serves nodes of any graph

Input = tuple[object, bytes | None]
"""A field of the pending node: the object, and its JSON where that is known."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """What a commit writes of one step."""

    outcome: str
    body: bytes
    changed: bytes
    """The small fields of the state that changed, a JSON object, or empty."""
    state: bytes
    """All of them."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A run's values as they stood after its last commit."""

    state: Any
    pending: Node | End[Any]
    ledger: Ledger


@dataclass(frozen=True)
class Codec:
    """What a graph's rows are written and read with."""

    nodes: Mapping[str, Shape]
    state: Shape
    end: TypeAdapter[Any]

    def ledger(self) -> Ledger:
        """For a run of which nothing is stored."""
        return Ledger(self)

    def restore(self, run_id: str, steps: Sequence[StepRecord], state: bytes) -> Restored:
        """Read a run back: `steps` are all the rows that it consists of, `state` its newest small state.

        Raises:
            DecodeError: a row does not fit the code.
            RunNotResumable: the pending node is not in the graph any more.
        """
        reader = _Reader(self, run_id, steps[-1].seq if steps else -1)
        fold = self._folded(run_id, steps)
        values, ledger = self._state(reader, fold, state)
        pending = reader.pending(fold, ledger.lists)
        ledger.inputs = {} if isinstance(pending, End) else self._inputs(pending, fold.fields)
        return Restored(values, pending, ledger)

    def follow(self, run_id: str, steps: Sequence[StepRecord], state: bytes) -> tuple[Any, Ledger]:
        """Read the state that a run left, for another one to go on from, whatever it ended with or at.

        Returns:
            The state, and the ledger of the run that goes on: the lists are stored, nothing else is.

        Raises:
            DecodeError: a row does not fit the code.
        """
        reader = _Reader(self, run_id, steps[-1].seq if steps else -1)
        values, ledger = self._state(reader, self._folded(run_id, steps), state)
        return values, Ledger(self, lists=ledger.lists)

    def _folded(self, run_id: str, steps: Sequence[StepRecord]) -> Fold:
        fold = Fold()
        for step in steps:
            try:
                fold.add(step.body)
            except (ValueError, KeyError, IndexError, TypeError) as error:
                raise DecodeError(run_id, step.seq, "the body", str(error)) from error
        return fold

    def _state(self, reader: _Reader, fold: Fold, state: bytes) -> tuple[Any, Ledger]:
        small = reader.small(state)
        lists = {name: reader.appended(name, fold, small) for name in self.state.lists}
        fields = {
            name: reader.value(adapter, small[name] if name in small else as_list(fold.lists[name]), self.state, name)
            for name, adapter in self.state.fields.items()
            if name in small or name in fold.lists
        }
        known = {name: small[name] for name in self.state.fields if name in small}
        return reader.make(self.state, {**fields, **lists}), Ledger(self, small=known, lists=lists)

    def _inputs(self, node: Node, stored: Mapping[str, bytes]) -> dict[str, Input]:
        known = self.nodes[node.get_node_id()].fields.keys() & stored.keys()
        return {name: (getattr(node, name), stored[name]) for name in known}


@dataclass
class Ledger:
    """What of a live run is stored."""

    codec: Codec
    small: dict[str, bytes] = field(default_factory=dict[str, bytes])
    lists: dict[str, AppendedList[Any]] = field(default_factory=dict[str, AppendedList[Any]])
    inputs: dict[str, Input] = field(default_factory=dict[str, Input])
    """The fields of the pending node as they were stored; meanwhile its user may have changed them."""

    def encode(self, seq: int, state: Any, ran: Node | None, outcome: Node | End[Any]) -> Encoded:
        """Write down the step in which `ran` led to `outcome`; `stored` makes it the new truth.

        Raises:
            StoreError: a value cannot be turned into JSON; names the field.
        """
        writer = BodyWriter()
        if ran is not None:
            for name, (value, _) in self.inputs.items():
                writer.note(value, input_slot(name))
        lists = {name: self._list(name, state, writer) for name in self.codec.state.lists}
        fields = self._outcome(outcome, writer)
        to = END if isinstance(outcome, End) else outcome.get_node_id()
        body = writer.body(to, fields, {name: change for name, change in lists.items() if change is not None})
        changed = self._changed(state, whole=seq % SNAPSHOT_EVERY == 0)
        return Encoded(to, body, _object(changed) if changed else b"", _object(self.small))

    def stored(self) -> None:
        """What was encoded last is committed."""
        for items in self.lists.values():
            items.mark_stored()

    def _changed(self, state: Any, *, whole: bool) -> dict[str, bytes]:
        before = self.small
        self.small = {
            name: _dump(adapter, getattr(state, name), f"{self.codec.state.name}.{name}")
            for name, adapter in self.codec.state.fields.items()
        }
        return {name: value for name, value in self.small.items() if whole or before.get(name) != value}

    def _list(self, name: str, state: Any, writer: BodyWriter) -> Sequence[Any] | None:
        previous = self.lists.get(name)
        items = adopt(getattr(state, name), previous)
        if items is not previous:
            self.lists[name] = items
            setattr(state, name, items)
        if not items.changed:
            if items:
                writer.note(items[-1], item_slot(name, len(items) - 1))
            return None
        change = items.change()
        slots = {str(index): self._item(name, index, item, writer) for index, item in change.replaced}
        added = [self._item(name, change.keep + offset, item, writer) for offset, item in enumerate(change.added)]
        return [change.keep, slots, added]

    def _item(self, name: str, index: int, item: Any, writer: BodyWriter) -> Slot:
        slot, _ = self._slot(self.codec.state.lists[name], item, f"an item of {name}", writer)
        writer.note(item, item_slot(name, index))
        return slot

    def _slot(
        self, adapter: TypeAdapter[Any], value: object, what: str, writer: BodyWriter
    ) -> tuple[Slot, bytes | None]:
        # Where the value stands, and how it is written if that had to be found out.
        slot = writer.find(value)
        match slot:
            case ["in", name]:
                encoded = _dump(adapter, value, what)
                return slot if encoded == self.inputs[name][1] else writer.put(encoded), encoded
            case None:
                encoded = _dump(adapter, value, what)
                return writer.put(encoded), encoded
            case _:
                return slot, None

    def _outcome(self, outcome: Node | End[Any], writer: BodyWriter) -> dict[str, Slot]:
        if isinstance(outcome, End):
            self.inputs = {}
            try:
                return {"data": writer.put(_dump(self.codec.end, outcome.data, "the result"))}
            except StoreError as error:  # the run did succeed; only a resume of it has to say that its result is lost
                return {"data": lost_slot(error.message)}
        node_id = outcome.get_node_id()
        slots: dict[str, Slot] = {}
        inputs: dict[str, Input] = {}
        for name, adapter in self.codec.nodes[node_id].fields.items():
            value = getattr(outcome, name)
            slots[name], encoded = self._slot(adapter, value, f"{node_id}.{name}", writer)
            inputs[name] = (value, encoded)
        self.inputs = inputs
        return slots


@dataclass(frozen=True)
class _Reader:
    codec: Codec
    run_id: str
    step: int

    def small(self, state: bytes) -> dict[str, bytes]:
        try:
            return {name: to_json(value) for name, value in from_json(state).items()}
        except (ValueError, AttributeError) as error:
            raise DecodeError(self.run_id, self.step, "the state", str(error)) from error

    def appended(self, name: str, fold: Fold, small: Mapping[str, bytes]) -> AppendedList[Any]:
        # A list that was a plain field when it was stored is still to be stored by items.
        raw = small[name] if name in small else as_list(fold.lists.get(name, ()))
        items = AppendedList[Any](self.value(self.codec.state.whole_lists[name], raw, self.codec.state, name))
        if name not in small:
            items.mark_stored()
        return items

    def value(self, adapter: TypeAdapter[Any], raw: bytes, shape: Shape, name: str) -> Any:
        return self._read(adapter, raw, f"{shape.name}.{name}")

    def pending(self, fold: Fold, lists: Mapping[str, Sequence[Any]]) -> Node | End[Any]:
        if fold.lost:
            raise RunNotResumable(self.run_id, [f"its result was not stored: {fold.lost}"])
        if fold.to == END:
            return End(self._read(self.codec.end, fold.fields.get("data", b""), "the result"))
        shape = self.codec.nodes.get(fold.to)
        if shape is None:
            known = ", ".join(self.codec.nodes)
            raise RunNotResumable(
                self.run_id, [f"it goes on at {fold.to}, which is not in the graph; there are {known}"]
            )
        values: dict[str, Any] = {}
        for name, adapter in shape.fields.items():
            list_name, index = fold.items.get(name, ("", 0))
            if list_name in lists:  # the field and the item are one object, as they were when stored
                values[name] = lists[list_name][index]
            elif name in fold.fields:
                values[name] = self.value(adapter, fold.fields[name], shape, name)
        node: Node = self.make(shape, values)
        return node

    def make(self, shape: Shape, values: Mapping[str, Any]) -> Any:
        try:
            return shape.make(values)
        except TypeError as error:
            problem = f"{shape.name} cannot be made of the stored {', '.join(values) or 'nothing'}: {error}"
            raise RunNotResumable(self.run_id, [problem]) from error

    def _read(self, adapter: TypeAdapter[Any], raw: bytes, what: str) -> Any:
        try:
            return adapter.validate_json(raw)
        except ValidationError as error:
            reasons = "; ".join(
                f"{'.'.join(map(str, each['loc'])) or 'value'}: {each['msg']}" for each in error.errors()
            )
            raise DecodeError(self.run_id, self.step, what, reasons) from error


def _dump(adapter: TypeAdapter[Any], value: object, what: str) -> bytes:
    try:
        return adapter.dump_json(value, warnings="error")
    except Exception as error:
        message = f"{what} cannot be stored: {type(value).__name__}: {error}"
        raise StoreError(message) from error


def _object(values: Mapping[str, bytes]) -> bytes:
    return b"{" + b",".join(b'"%b":%b' % (name.encode(), value) for name, value in values.items()) + b"}"
