r"""The body of a step row: a line of JSON that says what is where, then one line of JSON a value.

    {"v":1,"to":"Answer","fields":{"reply":["item","messages",1]},"lists":{"messages":[0,{},[["in","request"],1]]}}
    {"parts":[…],"kind":"response"}

`to` is the node that comes next and `fields` its fields; `lists` says, for each list of the state that changed, how
many leading items stay, which of them are replaced, and what is added. A value is written once. Its *slot* tells
where: a number is a line of this body; `["in", name]` is that field of the node that ran, which the body before this
one holds; `["item", name, index]` is an item of a list of the state as this step left it; `["lost", reason]` is a
result that could not be turned into JSON.

A fork is `to` `Fork`: its field `fork` says what it is made of, and the fields of the node that branch 2 begins with
are called `2.name`. The end of a branch is `to` `Join`, with the field `value`.

`Fold` walks over the bodies of a run in order, so it needs only the newest fields and the lists to resolve a slot.
JSON text holds no raw line break, so lines are safe to split at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from pydantic import BaseModel
from pydantic_core import from_json, to_json

__all__ = [
    "FORMAT",
    "BodyWriter",
    "Fold",
    "Slot",
    "as_list",
    "has_serializer",
    "input_slot",
    "lost_slot",
    "points_back",
]

FORMAT = 1

Slot: TypeAlias = int | Sequence[Any]
"""Where a value stands: in JSON a number or a list."""


def input_slot(name: str) -> Slot:
    """A value that is a field of the node that ran."""
    return ("in", name)


def as_list(lines: Iterable[bytes]) -> bytes:
    """The JSON of a list, of that of its items."""
    return b"[" + b",".join(lines) + b"]"


def lost_slot(reason: str) -> Slot:
    """A value that could not be stored."""
    return ("lost", reason)


def points_back(body: bytes) -> bool:
    """Whether what a body holds has to be looked up in the bodies before it; also if it cannot be read."""
    try:
        head = from_json(body.partition(b"\n")[0])
        slots: Iterable[Slot] = head["fields"].values()
        return bool(head["lists"]) or any(not isinstance(slot, int) and slot[0] != "lost" for slot in slots)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return True


class BodyWriter:
    """Collects the values of one body."""

    __slots__ = ("_lines", "places")

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self.places: dict[int, Slot] = {}
        """Where a value stands already that can be pointed to, by its identity; whoever notes it keeps it alive."""

    def put(self, encoded: bytes) -> Slot:
        """Write a value that stands nowhere yet."""
        self._lines.append(encoded)
        return len(self._lines)

    def note_item(self, value: object, name: str, index: int) -> None:
        """Say in which list of the state a value stands, and where, if a slot can say that."""
        if has_serializer(value):
            self.places[id(value)] = ("item", name, index)

    def body(self, to: str, fields: Mapping[str, Slot], lists: Mapping[str, Sequence[Any]]) -> bytes:
        """The whole body."""
        head = to_json({"v": FORMAT, "to": to, "fields": fields, "lists": lists})
        return b"\n".join([head, *self._lines])


def has_serializer(value: object) -> bool:
    """Whether a value carries its own serializer: it reads the same wherever it stands, so a slot can point to it."""
    cls: Any = type(value)  # mypy takes no class for hashable
    return _carries_a_serializer(cls)


@lru_cache(maxsize=256)
def _carries_a_serializer(cls: type[Any]) -> bool:
    return is_dataclass(cls) or issubclass(cls, BaseModel)


@dataclass
class Fold:
    """What the bodies of a run add up to, still as JSON."""

    to: str = ""
    fields: dict[str, bytes] = field(default_factory=dict[str, bytes])
    slots: Mapping[str, Slot] = field(default_factory=dict[str, Slot])
    """Where the fields of the newest node stood."""
    lists: dict[str, list[bytes]] = field(default_factory=dict[str, list[bytes]])
    lost: str | None = None
    """Why the newest outcome holds a value that was not stored."""

    def add(self, body: bytes) -> None:
        """Take the next body in.

        Raises:
            ValueError, KeyError, IndexError, TypeError: the body is not one that `BodyWriter` wrote.
        """
        first, *lines = body.split(b"\n")
        head = from_json(first)
        if head["v"] != FORMAT:
            message = f"it is written in format {head['v']}, this release reads format {FORMAT}"
            raise ValueError(message)
        for name, (keep, replaced, added) in head["lists"].items():
            items = self.lists.setdefault(name, [])
            del items[keep:]
            for index, slot in replaced.items():
                items[int(index)] = self._resolve(slot, lines)
            for slot in added:  # one by one: a slot may name an item that was added just before
                items.append(lines[slot - 1] if type(slot) is int else self._resolve(slot, lines))
        slots = head["fields"]
        self.fields = {
            name: lines[slot - 1] if type(slot) is int else self._resolve(slot, lines) for name, slot in slots.items()
        }
        self.slots, self.to = slots, head["to"]

    @property
    def items(self) -> dict[str, tuple[str, int]]:
        """The fields of the newest node that are items of a list: which list, and where."""
        slots = [(name, slot) for name, slot in self.slots.items() if isinstance(slot, list) and slot[0] == "item"]
        return {name: (slot[1], slot[2]) for name, slot in slots}

    def branch(self, position: int, node: str) -> Fold:
        """What a branch of the fork at which this one stands begins with."""
        prefix = f"{position}."
        fields = {name.removeprefix(prefix): raw for name, raw in self.fields.items() if name.startswith(prefix)}
        slots = {name.removeprefix(prefix): slot for name, slot in self.slots.items() if name.startswith(prefix)}
        return Fold(node, fields, slots, {name: [*lines] for name, lines in self.lists.items()})

    def _resolve(self, slot: Slot, lines: Sequence[bytes]) -> bytes:
        if isinstance(slot, int):
            return lines[slot - 1]
        match slot[0]:  # not `slot` itself: that takes ten times as long, and there are several in each body
            case "in":
                return self.fields[slot[1]]
            case "item":
                index: int = slot[2]
                return self.lists[slot[1]][index]
            case "lost":
                self.lost = slot[1]
                return b"null"
            case _:
                message = f"it holds the slot {slot!r}, which this release does not know"
                raise ValueError(message)
