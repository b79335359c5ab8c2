"""How the values of a graph's runs become JSON: one encoder a field, made once a graph.

pydantic warns of a value that is of another type than its field says, and here that has to be an error: it could not be
read back. To ask for it costs more than most values do, so it is asked for where it can matter: not of an `int` in a
field of `int`, and not where the JSON is that of a value which was asked before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any

from pydantic import TypeAdapter

from agentgraph.exceptions import StoreError

from .shapes import Shape

__all__ = ["Encoder", "Encoders", "encoders_of"]

_PLAIN: Mapping[str, type] = {"bool": bool, "float": float, "int": int, "none": NoneType, "str": str}

_SMALL = 256


class Encoder:
    """Of the values of one type.

    Args:
        adapter: writes them.
        what: the values, in errors.
        name: of the field that holds them.
    """

    def __init__(self, adapter: TypeAdapter[Any], what: str, name: str = "") -> None:
        self._to_json, self._what = adapter.serializer.to_json, what
        self.key = b'"%b":' % name.encode()
        """What stands before such a value in a JSON object."""
        self._first: bytes | None = None
        self.plain = _plain_types(adapter.core_schema)
        """The classes whose instances do not change, and are what the type says."""

    def encode(self, value: object) -> bytes:
        """The JSON of a value.

        Raises:
            StoreError: there is none, or it could not be read back; names the values.
        """
        try:
            if type(value) in self.plain:
                return self._to_json(value)
            return self._to_json(value, warnings="error")
        except Exception as error:
            message = f"{self._what} cannot be stored: {type(value).__name__}: {error}"
            raise StoreError(message) from error

    def encode_again(self, value: object, known: bytes | None) -> bytes:
        """The same of a value that can change, and is likely to be what it was, `known`; None: as where a run begins.

        Raises:
            StoreError: as `encode`.
        """
        expected = self._first if known is None else known
        try:
            if expected is not None and self._to_json(value, warnings=False) == expected:
                return expected
        except Exception:  # noqa: S110, BLE001 - `encode` raises it too, and says where
            pass
        encoded = self.encode(value)
        if known is None and len(encoded) < _SMALL:
            self._first = encoded
        return encoded


@dataclass(frozen=True)
class Encoders:
    """What the rows of a graph are written with, by the names of fields and the ids of nodes."""

    nodes: Mapping[type[Any], tuple[str, Mapping[str, Encoder]]]
    """By the class of the node: its id, and its fields."""
    state: Mapping[str, Encoder]
    """Of the fields that are stored whole."""
    lists: Mapping[str, Encoder]
    """Of the items of those that are not."""
    end: Encoder
    joins: Mapping[str, Encoder]


def encoders_of(
    nodes: Mapping[str, Shape], state: Shape, end: TypeAdapter[Any], joins: Mapping[str, TypeAdapter[Any]]
) -> Encoders:
    """Those of a graph."""
    return Encoders(
        {shape.cls: (node_id, _of_fields(node_id, shape.fields)) for node_id, shape in nodes.items()},
        _of_fields(state.name, state.fields),
        {name: Encoder(adapter, f"an item of {name}") for name, adapter in state.lists.items()},
        Encoder(end, "the result"),
        {node_id: Encoder(adapter, f"what {node_id} joins with") for node_id, adapter in joins.items()},
    )


def _of_fields(owner: str, fields: Mapping[str, TypeAdapter[Any]]) -> Mapping[str, Encoder]:
    return {name: Encoder(adapter, f"{owner}.{name}", name) for name, adapter in fields.items()}


def _plain_types(schema: Any) -> frozenset[type]:  # any: a mapping whose keys depend on its type
    """The classes of which every instance is what the schema says, and none looks like something else."""
    match schema:
        case {"serialization": _}:
            return frozenset()  # its author says how
        case {"type": str(name)} if name in _PLAIN:
            return frozenset([_PLAIN[name]])
        case {"type": "default", "schema": inner}:
            return _plain_types(inner)
        case {"type": "nullable", "schema": inner}:
            return _plain_types(inner) | {NoneType}
        case {"type": "union", "choices": [first, *_]}:  # the first that fits writes the value
            return _plain_types(first[0] if isinstance(first, tuple) else first)
        case _:
            return frozenset()
