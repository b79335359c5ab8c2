"""What is stored of a live run, and so what its next commit has to write. `body.py` has the form of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from agentgraph.exceptions import StoreError

from .appended import AppendedList, adopt
from .body import BodyWriter, Slot, has_serializer, input_slot, lost_slot
from .checks import END, FAILED, FORK, JOIN
from .encoding import Encoder, Encoders
from .frontier import Outcome
from .node import AnyFork, BaseNode, BranchError, End, Join, is_fork

__all__ = ["SNAPSHOT_EVERY", "Encoded", "Input", "Ledger", "Node"]

SNAPSHOT_EVERY = 64
"""A step whose seq is a multiple of it stores the whole small state, so that reading it never goes far back; and what
comes next as well, without pointing to steps before, unless all rows are read anyway for the lists of the state."""

Node = BaseNode[Any, Any, Any]  # nodes of any graph

_NO_NODE: tuple[str, Mapping[str, Encoder]] = ("", {})

Input = tuple[object, bytes | None]
"""A field of the pending node that a body can point to: the object, and its JSON where that is known."""


@dataclass(slots=True)
class Encoded:
    """What a commit writes of one step. Never changed; not frozen, since each step makes one."""

    outcome: str
    body: bytes
    changed: bytes
    """The small fields of the state that changed, a JSON object, or empty."""
    state: bytes
    """All of them."""
    alters: bool
    """Whether anything of the state is not as it was stored before."""


class Ledger:
    """Of one branch. It changes with every step that is encoded."""

    __slots__ = ("_encoders", "_forked", "_small", "_state", "_values", "inputs", "lists")

    def __init__(
        self,
        encoders: Encoders,
        small: Mapping[str, bytes] | None = None,
        lists: Mapping[str, AppendedList[Any]] | None = None,
        inputs: dict[str, Input] | None = None,
    ) -> None:
        self._encoders = encoders
        self._small: dict[str, bytes] = {**small} if small else {}
        self._state = b""  # all of that as an object, from the first step on
        self._values: dict[str, object] = {}  # what `_small` was made of: what cannot change is not encoded again
        self._forked: Sequence[dict[str, Input]] = ()  # what `inputs` is, for each branch of a pending fork
        self.lists: dict[str, AppendedList[Any]] = {**lists} if lists else {}
        self.inputs: dict[str, Input] = inputs or {}
        """The fields of the pending node as they were stored; meanwhile its user may have changed them."""

    def branch(self, position: int, state: Any) -> Ledger:
        """For a branch of the fork that was encoded last; `state` is its copy of the state."""
        lists = {name: getattr(state, name) for name in self._encoders.lists}
        return Ledger(self._encoders, self._small, lists, self._forked[position])

    def adopt_lists(self, state: Any) -> None:
        """Have the lists of the state record what becomes of them."""
        for name in self._encoders.lists:
            self._adopted(name, state)

    def rewind(self, state: Any) -> None:
        """Take `state` for the one that the step began with, of which it is a twin."""
        self.lists = {name: getattr(state, name) for name in self._encoders.lists}

    def encode(self, seq: int, state: Any, ran: Node | None, outcome: Outcome) -> Encoded:
        """Write down the step in which `ran` led to `outcome`; `stored` makes it the new truth.

        Raises:
            StoreError: a value cannot be turned into JSON; names the field.
        """
        writer, snapshot = BodyWriter(), seq % SNAPSHOT_EVERY == 0
        if ran is not None and not (snapshot and seq > 0 and not self._encoders.lists):  # lists need all rows anyway
            for name, (value, _) in self.inputs.items():
                writer.places[id(value)] = input_slot(name)
        lists = self._changed_lists(state, writer)
        to, fields = self._outcome(ran, outcome, writer)
        body = writer.body(to, fields, lists)
        changed = self._changed(state)
        alters = bool(changed or lists or not self._state)
        if changed or not self._state:
            self._small |= changed
            self._state = self._object(self._small)
        if snapshot and self._small:
            return Encoded(to, body, self._state, self._state, alters)
        return Encoded(to, body, self._object(changed) if changed else b"", self._state, alters)

    def stored(self) -> None:
        """What was encoded last is committed."""
        for items in self.lists.values():
            items.mark_stored()

    def _changed(self, state: Any) -> dict[str, bytes]:
        """The small fields of the state that are not what is stored."""
        changed: dict[str, bytes] = {}
        small, values = self._small, self._values
        for name, encoder in self._encoders.state.items():
            value, known = getattr(state, name), small.get(name)
            if type(value) not in encoder.plain:
                encoded = encoder.encode_again(value, known)
            elif value is values.get(name, ...):
                continue
            else:
                values[name], encoded = value, encoder.encode(value)
            if encoded != known:
                changed[name] = encoded
        return changed

    def _object(self, values: Mapping[str, bytes]) -> bytes:
        encoders = self._encoders.state
        return b"{" + b",".join([encoders[name].key + value for name, value in values.items()]) + b"}"

    def _changed_lists(self, state: Any, writer: BodyWriter) -> dict[str, Sequence[Any]]:
        changed: dict[str, Sequence[Any]] = {}
        for name, encoder in self._encoders.lists.items():
            items = self.lists.get(name)
            if items is None or items is not getattr(state, name):
                items = self._adopted(name, state)
            if items.changed:
                changed[name] = self._change(name, encoder, items, writer)
            elif items:
                writer.note_item(items[-1], name, len(items) - 1)
        return changed

    def _change(
        self, name: str, encoder: Encoder, items: AppendedList[Any], writer: BodyWriter
    ) -> tuple[int, dict[str, Slot], list[Slot]]:
        keep, changed, more = items.change()
        replaced: dict[str, Slot] = {}
        for index, item in changed:
            replaced[str(index)] = self._slot(encoder, item, writer)[0]
            writer.note_item(item, name, index)
        added: list[Slot] = []
        for index, item in enumerate(more, keep):
            added.append(self._slot(encoder, item, writer)[0])
            writer.note_item(item, name, index)
        return keep, replaced, added

    def _adopted(self, name: str, state: Any) -> AppendedList[Any]:
        previous, value = self.lists.get(name), getattr(state, name)
        if previous is not None and value is previous:
            return previous
        items: AppendedList[Any] = adopt(value, previous)
        self.lists[name] = items
        setattr(state, name, items)
        return items

    def _slot(self, encoder: Encoder, value: object, writer: BodyWriter) -> tuple[Slot, bytes | None]:
        # Where the value stands, and how it is written if that had to be found out.
        slot = writer.places.get(id(value))
        if slot is None:
            encoded = encoder.encode(value)
            return writer.put(encoded), encoded
        match slot:
            case ("in", name):
                known = self.inputs[name][1]
                encoded = encoder.encode(value) if known is None else encoder.encode_again(value, known)
                return slot if encoded == known else writer.put(encoded), encoded
            case _:
                return slot, None

    def _outcome(self, ran: Node | None, outcome: Outcome, writer: BodyWriter) -> tuple[str, dict[str, Slot]]:
        """What comes next, by the name that rows have for it, and its fields."""
        inputs: dict[str, Input] = {}
        forked: list[dict[str, Input]] = []
        node_id, fields = self._encoders.nodes.get(type(outcome), _NO_NODE)
        match outcome:
            case _ if node_id:
                written = node_id, self._fields(fields, outcome, writer, inputs)
            case End():
                written = END, {"data": _last(self._encoders.end, outcome.data, writer)}
            case Join():
                assert ran is not None  # a pending node is never replaced by the end of its branch
                written = JOIN, {"value": _last(self._encoders.joins[ran.get_node_id()], outcome.value, writer)}
            case BranchError():
                written = FAILED, {"error": writer.put(to_json(outcome))}
            case _:
                assert is_fork(outcome)  # every other node has an encoder
                written = FORK, self._fork(outcome, writer, forked)
        self.inputs, self._forked = inputs, forked or ()  # not before: the slots may point to what they were
        return written

    def _fork(self, fork: AnyFork, writer: BodyWriter, forked: list[dict[str, Input]]) -> dict[str, Slot]:
        ids = [node.get_node_id() for node in fork.branches]
        head = {"nodes": ids, "join": fork.join.get_node_id(), "limit": fork.limit, "on_error": fork.on_error}
        slots = {"fork": writer.put(to_json(head))}
        for position, node in enumerate(fork.branches):
            inputs: dict[str, Input] = {}
            _, encoders = self._encoders.nodes[type(node)]
            fields = self._fields(encoders, node, writer, inputs)
            slots |= {f"{position}.{name}": slot for name, slot in fields.items()}
            forked.append(inputs)
        return slots

    def _fields(
        self, encoders: Mapping[str, Encoder], node: object, writer: BodyWriter, inputs: dict[str, Input]
    ) -> dict[str, Slot]:
        """Where the fields of a node stand; `inputs` is told of those that a later body can point to."""
        slots: dict[str, Slot] = {}
        for name, encoder in encoders.items():
            value = getattr(node, name)
            if type(value) in encoder.plain:
                slots[name] = writer.put(encoder.encode(value))
            else:
                slots[name], encoded = self._slot(encoder, value, writer)
                if has_serializer(value):
                    inputs[name] = value, encoded
        return slots


def _last(encoder: Encoder, value: object, writer: BodyWriter) -> Slot:
    try:
        return writer.put(encoder.encode(value))
    except StoreError as error:  # it did succeed; only a resume has to say that the value is lost
        return lost_slot(error.message)
