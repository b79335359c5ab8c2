"""What a step tells while it has not ended: pieces of text, and what its node emits.

The pieces are numbered within an attempt of the step and handed to the store, which writes them when it suits it.
Nothing waits for that: all that matters is in the commit, and a piece that was never written is read from there.

Who has very much to tell, such as a reply that comes word by word, collects it for a turn of the event loop
(`Live.soon`): what comes together is one piece, and costs the store one record.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pydantic_core import from_json, to_json

from agentgraph.concurrency import soon

from .store import ROOT, EventKind, EventRecord

__all__ = ["EventWriter", "Live", "Piece", "read_emitted"]


class EventWriter(Protocol):
    """Writes the events of a run."""

    def tell(self, event: EventRecord, /) -> None:
        """Have an event of the pending step written, some time soon."""
        ...


Piece = tuple[int, int, str]
"""Of a text in several parts: the part, where the piece begins in the whole text, and what it says."""


_NO_STEP = (-1, 0)


class Live:
    """Tells what happens in the step that runs; without a writer nothing is told."""

    __slots__ = ("_collecting", "_n", "_step", "_texts_of", "_writer")

    def __init__(self, writer: EventWriter | None = None) -> None:
        self._writer = writer
        self._step = _NO_STEP
        self._n = 0
        self._texts_of = -1
        self._collecting: Callable[[], None] | None = None

    @property
    def kept(self) -> bool:
        """Whether anybody could read what is told."""
        return self._writer is not None

    def ends(self, seq: int, attempt: int) -> bool:
        """The step is about to be committed, with the whole of its text: what is collected of that is not told.

        Returns:
            Whether text of the step may be written: by this attempt, or by one before, of which nothing is known.
        """
        self._collecting = None
        return self._texts_of == seq or (attempt > 1 and self.kept)

    def soon(self, tell: Callable[[], None]) -> None:
        """Call `tell` when the event loop turns, to tell what was collected; sooner if something else is told."""
        self._collecting = tell
        soon(self.flush)

    def flush(self) -> None:
        """Tell what is collected."""
        tell, self._collecting = self._collecting, None
        if tell is not None:
            tell()

    def text(self, seq: int, attempt: int, piece: Piece) -> None:
        """A further piece of the text that the step will end with."""
        self._texts_of = seq
        self._tell(seq, attempt, EventKind.TEXT, to_json(piece))

    def emitted(self, seq: int, attempt: int, event: object) -> None:
        """Something that a node emits, as JSON; what JSON cannot hold stands there by the name of its type."""
        if not self.kept:
            return
        self.flush()
        try:
            said = to_json(event, fallback=_type_name, bytes_mode="base64", inf_nan_mode="constants")
        except ValueError:  # it holds itself
            said = to_json(_type_name(event))
        self._tell(seq, attempt, EventKind.EMITTED, said)

    def _tell(self, seq: int, attempt: int, kind: EventKind, body: bytes) -> None:
        assert self._writer is not None  # who has nobody to tell asks `kept` first
        if self._step != (seq, attempt):
            self._step, self._n = (seq, attempt), 0
        self._writer.tell(EventRecord(seq=seq, branch=ROOT, attempt=attempt, n=self._n, kind=kind, body=body))
        self._n += 1


def read_emitted(record: EventRecord) -> object:
    """What was emitted, as JSON holds it."""
    emitted: object = from_json(record.body)
    return emitted


def _type_name(value: object) -> str:
    return type(value).__qualname__
