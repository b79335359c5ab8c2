"""Between the values of a run and the bytes of its rows. Data only: nothing is imported by a stored name.

A node is known by its id in the graph, its fields and those of the state by their annotations; pydantic turns them
into JSON and back. A field that a class has gained since, with a default, and one that it has lost, are no obstacle,
and `upgrades.py` leads from older rows to today's classes. What does not fit is a `DecodeError` that names the run, the
step and the field.

`Codec` belongs to a graph and is made once. `Ledger` belongs to a live run: it knows what was stored last, and so what
the next commit has to write.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import NoneType
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import to_json

from agentgraph.exceptions import DecodeError, StoreError

from .adapters import adapter_for
from .appended import AppendedList, adopt
from .body import BodyWriter, Fold, Slot, as_list, input_slot, item_slot, lost_slot
from .checks import END, FAILED, FORK, JOIN
from .frontier import Outcome, Pending, branch_path
from .lineage import folded
from .node import AnyFork, BaseNode, BranchError, End, Join, is_fork
from .problems import Problem, problems_in
from .reading import Reader
from .shapes import Shape
from .store import OPENING, ROOT, BranchRecord, StepRecord
from .upgrades import Upgrades

__all__ = ["EDIT", "SNAPSHOT_EVERY", "Codec", "Encoded", "Ledger", "Restored"]

EDIT = "(edit)"
"""Stands for the node in a step that changed what comes next instead of running it."""

SNAPSHOT_EVERY = 64
"""A step whose seq is a multiple of it stores the whole small state, so that reading it never goes far back; and what
comes next as well, without pointing to steps before, unless all rows are read anyway for the lists of the state."""

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
    branches: Mapping[str, RestoredBranch] = field(default_factory=dict[str, "RestoredBranch"])
    """Where it stands at a fork: the branches that are open, by their paths."""


@dataclass(frozen=True, slots=True)
class RestoredBranch:
    """A branch's values as they stood after its last commit; one that has ended needs none but its outcome."""

    pending: Pending
    state: Any = None
    ledger: Ledger | None = None


@dataclass(frozen=True)
class Codec:
    """What a graph's rows are written and read with."""

    nodes: Mapping[str, Shape]
    state: Shape
    end: TypeAdapter[Any]
    upgrades: Upgrades = field(default_factory=Upgrades)
    joins: Mapping[str, TypeAdapter[Any]] = field(default_factory=dict[str, TypeAdapter[Any]])
    """What stores the value that a branch joins with, by the id of the node that ends it."""

    def ledger(self) -> Ledger:
        """For a run of which nothing is stored."""
        return Ledger(self)

    def restore(
        self, run_id: str, steps: Sequence[StepRecord], state: bytes, branches: Sequence[BranchRecord] = ()
    ) -> Restored:
        """Read a run back: `steps` are all the rows that it consists of, `state` its newest small state.

        `branches` are those that it stands at.

        Raises:
            DecodeError: a row does not fit the code.
            RunNotResumable: the pending node is not in the graph any more.
        """
        reader = self._reader(run_id, steps)
        restored = self._restore(reader, steps, state, branches)
        reader.check()
        return restored

    def problems(
        self, run_id: str, steps: Sequence[StepRecord], state: bytes, branches: Sequence[BranchRecord] = ()
    ) -> list[Problem]:
        """Everything that would keep `restore` from reading the run."""
        reader = self._reader(run_id, steps)
        try:
            self._restore(reader, steps, state, branches)
        except DecodeError as error:
            reader.errors.append(error)
        return [problem for error in reader.errors for problem in problems_in(error)]

    def follow(self, run_id: str, steps: Sequence[StepRecord], state: bytes) -> tuple[Any, Ledger]:
        """Read the state that a run left, for another one to go on from, whatever it ended with or at.

        Returns:
            The state, and the ledger of the run that goes on: the lists are stored, nothing else is.

        Raises:
            DecodeError: a row does not fit the code.
        """
        reader = self._reader(run_id, steps)
        values, ledger, _ = self._state(reader, folded(run_id, Fold(), _by_branch(steps).get(ROOT, ())), state)
        reader.check()
        return values, Ledger(self, lists=ledger.lists)

    def _reader(self, run_id: str, steps: Sequence[StepRecord]) -> Reader:
        newest = max((step.seq for step in steps if step.branch == ROOT), default=OPENING)
        return Reader(self.nodes, self.state, self.end, self.upgrades, run_id, newest)

    def _restore(
        self, reader: Reader, steps: Sequence[StepRecord], state: bytes, branches: Sequence[BranchRecord]
    ) -> Restored:
        rows = _by_branch(steps)
        fold = folded(reader.run_id, Fold(), rows.get(ROOT, ()))
        values, ledger, intact = self._state(reader, fold, state)
        if fold.to == FORK:
            stood = {branch.branch: branch for branch in branches}
            inside = dict(self._branches(reader, (ROOT, reader.step, fold, state), rows, stood))
            return Restored(values, reader.fork(fold), ledger, inside)
        pending = reader.pending(fold, intact)
        ledger.inputs = {} if isinstance(pending, End) else self._inputs(pending, fold.fields)
        return Restored(values, pending, ledger)

    def _branches(
        self,
        reader: Reader,
        fork: tuple[str, int, Fold, bytes],
        rows: Mapping[str, Sequence[StepRecord]],
        stood: Mapping[str, BranchRecord],
    ) -> Iterable[tuple[str, RestoredBranch]]:
        """The branches of the fork at which `path` stands since step `seq`, and those inside of them."""
        path, seq, before, state = fork
        for position, node in enumerate(reader.branches(before)):
            branch = branch_path(path, seq, position)
            at = stood.get(branch) or BranchRecord(branch=branch, node=node)
            own = rows.get(branch, ())
            fold = folded(reader.run_id, before.branch(position, node), own)
            inner = replace(reader, step=at.seq - 1)
            match at.node:
                case str() if at.node in (JOIN, FAILED):
                    ended_by = own[-1].node if own else ""
                    yield branch, RestoredBranch(Pending(at.seq, self._ended(inner, fold, ended_by, branch)))
                case str() if at.node == FORK:
                    values, ledger, _ = self._state(inner, fold, at.state or state)
                    yield branch, RestoredBranch(Pending(at.seq, inner.fork(fold)), values, ledger)
                    yield from self._branches(inner, (branch, at.seq - 1, fold, at.state or state), rows, stood)
                case _:
                    values, ledger, intact = self._state(inner, fold, at.state or state)
                    pending = inner.pending(fold, intact)
                    ledger.inputs = {} if isinstance(pending, End) else self._inputs(pending, fold.fields)
                    yield branch, RestoredBranch(Pending(at.seq, pending), values, ledger)

    def _ended(self, reader: Reader, fold: Fold, node: str, branch: str) -> Outcome:
        if fold.to == FAILED:
            error: BranchError = reader.value(adapter_for(BranchError), fold.fields["error"], f"the error of {branch}")
            return error
        adapter = self.joins.get(self.upgrades.of_node(node, {})[0], adapter_for(Any))
        return Join(reader.joined(fold, adapter, branch))

    def _state(self, reader: Reader, fold: Fold, state: bytes) -> tuple[Any, Ledger, Mapping[str, AppendedList[Any]]]:
        """The state, what of it is stored, and the lists that are as they were stored."""
        stored = reader.small(state)
        small = reader.upgraded(fold, stored)
        lists = {name: reader.appended(name, fold, small) for name in self.state.lists}
        fields = {
            name: reader.value(adapter, small.get(name) or as_list(fold.lists[name]), f"{self.state.name}.{name}")
            for name, adapter in self.state.fields.items()
            if name in small or name in fold.lists
        }
        known = {name: stored[name] for name in self.state.fields if name in stored}
        intact = {name: items for name, items in lists.items() if name not in small}
        made = reader.make(self.state, {**fields, **lists})
        return made, Ledger(self, small=known, lists=lists), intact

    def _inputs(self, node: Node, stored: Mapping[str, bytes]) -> dict[str, Input]:
        known = self.nodes[node.get_node_id()].fields.keys() & stored.keys()
        return {name: (getattr(node, name), stored[name]) for name in known}


@dataclass(slots=True)
class Ledger:
    """What of a live run is stored."""

    codec: Codec
    small: dict[str, bytes] = field(default_factory=dict[str, bytes])
    values: dict[str, object] = field(default_factory=dict[str, object])
    """What `small` was encoded from: a number or text that is still the same is not encoded again."""
    lists: dict[str, AppendedList[Any]] = field(default_factory=dict[str, AppendedList[Any]])
    inputs: dict[str, Input] = field(default_factory=dict[str, Input])
    """The fields of the pending node as they were stored; meanwhile its user may have changed them."""
    forked: list[dict[str, Input]] = field(default_factory=list[dict[str, Input]])
    """The same for each branch of a pending fork."""

    def branch(self, position: int, state: Any) -> Ledger:
        """For a branch of the fork that was encoded last; `state` is its copy of the state."""
        lists = {name: getattr(state, name) for name in self.codec.state.lists}
        return Ledger(self.codec, {**self.small}, lists=lists, inputs=self.forked[position])

    def adopt_lists(self, state: Any) -> None:
        """Have the lists of the state record what becomes of them."""
        for name in self.codec.state.lists:
            self._adopted(name, state)

    def rewind(self, state: Any) -> None:
        """Take `state` for the one that the step began with, of which it is a twin."""
        self.lists = {name: getattr(state, name) for name in self.codec.state.lists}

    def encode(self, seq: int, state: Any, ran: Node | None, outcome: Outcome) -> Encoded:
        """Write down the step in which `ran` led to `outcome`; `stored` makes it the new truth.

        Raises:
            StoreError: a value cannot be turned into JSON; names the field.
        """
        writer, snapshot = BodyWriter(), seq % SNAPSHOT_EVERY == 0
        if ran is not None and not (snapshot and seq > 0 and not self.codec.state.lists):  # lists need all rows anyway
            for name, (value, _) in self.inputs.items():
                writer.note(value, input_slot(name))
        lists = {name: self._list(name, state, writer) for name in self.codec.state.lists}
        to, fields = self._outcome(ran, outcome, writer)
        body = writer.body(to, fields, {name: change for name, change in lists.items() if change is not None})
        changed = self._changed(state, whole=snapshot)
        return Encoded(to, body, _object(changed) if changed else b"", _object(self.small))

    def stored(self) -> None:
        """What was encoded last is committed."""
        for items in self.lists.values():
            items.mark_stored()

    def _changed(self, state: Any, *, whole: bool) -> dict[str, bytes]:
        before, values = self.small, {name: getattr(state, name) for name in self.codec.state.fields}
        self.small = {name: self._small(name, value) for name, value in values.items()}
        self.values = values
        return {name: value for name, value in self.small.items() if whole or before.get(name) != value}

    def _small(self, name: str, value: object) -> bytes:
        known = self.values.get(name, ...)
        if type(value) in _PLAIN and type(known) is type(value) and known == value:
            return self.small[name]
        return _dump(self.codec.state.fields[name], value, f"{self.codec.state.name}.{name}")

    def _list(self, name: str, state: Any, writer: BodyWriter) -> Sequence[Any] | None:
        items = self._adopted(name, state)
        if not items.changed:
            if items:
                writer.note(items[-1], item_slot(name, len(items) - 1))
            return None
        change = items.change()
        slots = {str(index): self._item(name, index, item, writer) for index, item in change.replaced}
        added = [self._item(name, change.keep + offset, item, writer) for offset, item in enumerate(change.added)]
        return [change.keep, slots, added]

    def _adopted(self, name: str, state: Any) -> AppendedList[Any]:
        previous = self.lists.get(name)
        items = adopt(getattr(state, name), previous)
        if items is not previous:
            self.lists[name] = items
            setattr(state, name, items)
        return items

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

    def _outcome(self, ran: Node | None, outcome: Outcome, writer: BodyWriter) -> tuple[str, dict[str, Slot]]:
        """What comes next, by the name that rows have for it, and its fields."""
        inputs: dict[str, Input] = {}
        forked: list[dict[str, Input]] = []
        to, slots = self._written(ran, outcome, writer, (inputs, forked))
        self.inputs, self.forked = inputs, forked  # not before: the slots may point to what they were
        return to, slots

    def _written(
        self,
        ran: Node | None,
        outcome: Outcome,
        writer: BodyWriter,
        noted: tuple[dict[str, Input], list[dict[str, Input]]],
    ) -> tuple[str, dict[str, Slot]]:
        match outcome:
            case End():
                return END, {"data": self._last(self.codec.end, outcome.data, "the result", writer)}
            case Join():
                assert ran is not None  # a pending node is never replaced by the end of its branch
                node_id = ran.get_node_id()
                what = f"what {node_id} joins with"
                return JOIN, {"value": self._last(self.codec.joins[node_id], outcome.value, what, writer)}
            case BranchError():
                return FAILED, {"error": writer.put(to_json(outcome))}
            case _ if is_fork(outcome):
                return FORK, self._fork(outcome, writer, noted[1])
            case _:
                slots, inputs = self._node(outcome, writer)
                noted[0].update(inputs)
                return outcome.get_node_id(), slots

    def _last(self, adapter: TypeAdapter[Any], value: object, what: str, writer: BodyWriter) -> Slot:
        try:
            return writer.put(_dump(adapter, value, what))
        except StoreError as error:  # it did succeed; only a resume has to say that the value is lost
            return lost_slot(error.message)

    def _fork(self, fork: AnyFork, writer: BodyWriter, noted: list[dict[str, Input]]) -> dict[str, Slot]:
        ids = [node.get_node_id() for node in fork.branches]
        head = {"nodes": ids, "join": fork.join.get_node_id(), "limit": fork.limit, "on_error": fork.on_error}
        slots = {"fork": writer.put(to_json(head))}
        for position, node in enumerate(fork.branches):
            fields, inputs = self._node(node, writer)
            slots |= {f"{position}.{name}": slot for name, slot in fields.items()}
            noted.append(inputs)
        return slots

    def _node(self, node: Node, writer: BodyWriter) -> tuple[dict[str, Slot], dict[str, Input]]:
        node_id = node.get_node_id()
        slots: dict[str, Slot] = {}
        inputs: dict[str, Input] = {}
        for name, adapter in self.codec.nodes[node_id].fields.items():
            value = getattr(node, name)
            slots[name], encoded = self._slot(adapter, value, f"{node_id}.{name}", writer)
            inputs[name] = (value, encoded)
        return slots, inputs


_PLAIN = (int, str, bool, NoneType)


def _by_branch(steps: Iterable[StepRecord]) -> Mapping[str, list[StepRecord]]:
    found: dict[str, list[StepRecord]] = {}
    for step in steps:
        found.setdefault(step.branch, []).append(step)
    return found


def _dump(adapter: TypeAdapter[Any], value: object, what: str) -> bytes:
    try:
        return adapter.dump_json(value, warnings="error")
    except Exception as error:
        message = f"{what} cannot be stored: {type(value).__name__}: {error}"
        raise StoreError(message) from error


def _object(values: Mapping[str, bytes]) -> bytes:
    return b"{" + b",".join(b'"%b":%b' % (name.encode(), value) for name, value in values.items()) + b"}"
