"""How rows that an earlier version of the code has written are read by this one.

A row knows its node by an id and its fields by their names. A field that was added with a default, and one that was
taken away, need nothing. Beyond that the graph says what became of what:

    Graph(nodes=[Pack], upgrades=Upgrades(nodes={"Wrap": Upgrade("Pack", in_grams)}, state=count_parcels))

A change gets the fields as JSON holds them and returns those of today. It is applied whenever a run is read, for as
long as such rows are in the store, so it leaves alone what is as today already; only under an id that no node has any
more is everything surely old. The rows stay as they are: the next step is written as today.

Rejected: versions in the rows (the id of a node is one, where one is needed), rewriting the store (a run that another
process executes by the old code would break).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json, to_json

from .body import as_list

__all__ = ["FieldChange", "Upgrade", "Upgrades"]

Fields = dict[str, Any]  # any: what JSON holds

FieldChange = Callable[[Fields], Fields]
"""From the fields as they were stored to those of today; it may change what it gets and return it."""


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What became of a node."""

    to: str
    """The id of the node that it is now, or was after it and has an upgrade of its own."""
    change: FieldChange | None = None
    """What became of its fields; None: nothing."""


@dataclass(frozen=True, slots=True)
class Upgrades:
    """What became of the nodes and of the state of a graph."""

    nodes: Mapping[str, Upgrade] = field(default_factory=dict[str, Upgrade])
    """By the id that was stored."""
    state: FieldChange | None = None
    """What became of the fields of the state."""

    def problems(self, known: Collection[str]) -> list[str]:
        """The upgrades that lead to no node; `known` are the ids of those there are."""
        ends = {old: self._way(old)[0] for old in self.nodes}
        return [
            f"the upgrade of {old} leads to {end}, which is no node" for old, end in ends.items() if end not in known
        ]

    def of_node(self, node_id: str, fields: Mapping[str, bytes]) -> tuple[str, Mapping[str, bytes]]:
        """A stored node as it is today: its id, and the JSON of its fields.

        Raises:
            Exception: what a change raises, or what it returned cannot be turned into JSON.
        """
        now, changes = self._way(node_id)
        return now, _changed(changes, fields) if changes else fields

    def of_state(self, small: Mapping[str, bytes], lists: Mapping[str, Sequence[bytes]]) -> Mapping[str, bytes]:
        """The small fields of the state as they are today; a list that was changed is among them, to be stored anew.

        Raises:
            Exception: as `of_node`.
        """
        if self.state is None:
            return small
        whole = {name: as_list(items) for name, items in lists.items() if name not in small}
        changed = _changed([self.state], {**small, **whole})
        return {name: value for name, value in changed.items() if whole.get(name) != value}

    def _way(self, node_id: str) -> tuple[str, list[FieldChange]]:
        changes: list[FieldChange] = []
        passed: set[str] = set()
        while node_id in self.nodes and node_id not in passed:
            passed.add(node_id)
            upgrade = self.nodes[node_id]
            node_id = upgrade.to
            changes += [] if upgrade.change is None else [upgrade.change]
        return node_id, changes


def _changed(changes: Sequence[FieldChange], stored: Mapping[str, bytes]) -> dict[str, bytes]:
    """What is left as it was keeps its very bytes, by which it is known not to be written again."""
    fields: Fields = {name: from_json(value) for name, value in stored.items()}
    for change in changes:
        fields = change(fields)
    return {name: _kept(stored.get(name), value) for name, value in fields.items()}


def _kept(stored: bytes | None, value: object) -> bytes:
    return stored if stored is not None and from_json(stored) == value else to_json(value)
