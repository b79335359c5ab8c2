r"""Bytes in pieces: how what is not JSON, but encrypted, says where it can be cut.

    \0[120,88000]\n…

The line says how long the pieces are that follow. It begins with a byte that JSON never begins with, by which sealed
bytes are known as such.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

from pydantic_core import from_json, to_json

from agentgraph.graph.records import SEALED

__all__ = ["pack", "pieces_of", "unpack"]


def pack(pieces: Sequence[bytes]) -> bytes:
    """The pieces as one, so that each can be found."""
    return b"".join([SEALED, to_json([len(piece) for piece in pieces]), b"\n", *pieces])


def unpack(data: bytes) -> list[bytes] | None:
    """What was packed; None if that was not."""
    spans = pieces_of(data)
    return None if spans is None else [data[start:end] for start, end in spans]


def pieces_of(data: bytes) -> list[tuple[int, int]] | None:
    """Where the pieces begin and end; None if the data was not packed."""
    if data[:1] != SEALED:
        return None
    head, _, rest = data[1:].partition(b"\n")
    try:
        ends = list(accumulate(from_json(head), initial=len(data) - len(rest)))
    except (ValueError, TypeError):
        return None
    return list(pairwise(ends)) if ends[-1] == len(data) else None
