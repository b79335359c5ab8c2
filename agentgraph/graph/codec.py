"""Between the values of a run and the bytes of its rows. Data only: nothing is imported by a stored name.

A node is known by its id in the graph, its fields and those of the state by their annotations; pydantic turns them
into JSON and back. A field that a class has gained since, with a default, and one that it has lost, are no obstacle,
and `upgrades.py` leads from older rows to today's classes. What does not fit is a `DecodeError` that names the run, the
step and the field.

`Codec` belongs to a graph and is made once. A `Ledger` belongs to a live run: it knows what was stored last, and so
what the next commit has to write.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from pydantic import TypeAdapter

from agentgraph.exceptions import DecodeError

from .adapters import adapter_for
from .appended import AppendedList
from .body import Fold, as_list, has_serializer
from .checks import FAILED, FORK, JOIN
from .encoding import Encoders, encoders_of
from .frontier import Outcome, Pending, branch_path
from .ledger import Input, Ledger, Node
from .lineage import folded
from .node import BranchError, End, Join
from .problems import Problem, problems_in
from .reading import Reader
from .shapes import Shape
from .store import OPENING, ROOT, BranchRecord, StepRecord
from .upgrades import Upgrades

__all__ = ["EDIT", "Codec", "Restored", "RestoredBranch"]

EDIT = "(edit)"
"""Stands for the node in a step that changed what comes next instead of running it."""


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

    @cached_property
    def encoders(self) -> Encoders:
        """What its rows are written with."""
        return encoders_of(self.nodes, self.state, self.end, self.joins)

    def ledger(self) -> Ledger:
        """For a run of which nothing is stored."""
        return Ledger(self.encoders)

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
        return values, Ledger(self.encoders, lists=ledger.lists)

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
        return made, Ledger(self.encoders, known, lists), intact

    def _inputs(self, node: Node, stored: Mapping[str, bytes]) -> dict[str, Input]:
        known = self.nodes[node.get_node_id()].fields.keys() & stored.keys()
        found = {name: (getattr(node, name), stored[name]) for name in known}
        return {name: each for name, each in found.items() if has_serializer(each[0])}


def _by_branch(steps: Iterable[StepRecord]) -> Mapping[str, list[StepRecord]]:
    found: dict[str, list[StepRecord]] = {}
    for step in steps:
        found.setdefault(step.branch, []).append(step)
    return found
