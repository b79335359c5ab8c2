"""Bytes in an envelope: encrypted, and bound to the place where they are stored.

Big values are encrypted one by one, bound to their digests, which the envelope holds; so a store can still keep each of
them once (`blobs.py`).
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass

from pydantic_core import to_json

from agentgraph.exceptions import StoreError
from agentgraph.graph.store import EventRecord, JournalKind, JournalRecord

from .blobs import cut, digests_of, join
from .ciphers import Cipher
from .pieces import pack, unpack

__all__ = [
    "Envelope",
    "about",
    "as_text",
    "from_text",
    "place_of_branch",
    "place_of_call",
    "place_of_event",
    "place_of_step",
]


@dataclass(frozen=True)
class Envelope:
    """Seals and opens."""

    cipher: Cipher

    def seal(self, data: bytes, *place: str | int) -> bytes:
        """Encrypt it for this place; the same for the same data, place and key."""
        rest, blobs = cut(data)
        big = [self.cipher.encrypt(blob, about("blob", digest)) for digest, blob in blobs.items()]
        return pack([self.cipher.encrypt(rest, about(*place)), *big])

    def open(self, data: bytes, *place: str | int) -> bytes:
        """Decrypt what was sealed for this place.

        Raises:
            StoreError: it is not sealed, was sealed with another key or for another place; names the place.
        """
        pieces = unpack(data)
        if not pieces:
            raise StoreError(f"{_words(place)} is not encrypted, but this store was opened with a key for what is")
        try:
            rest = self.cipher.decrypt(pieces[0], about(*place))
            digests = zip(digests_of(rest), pieces[1:], strict=True)
            return join(rest, {digest: self.cipher.decrypt(piece, about("blob", digest)) for digest, piece in digests})
        except ValueError as error:
            raise StoreError(f"{_words(place)} cannot be decrypted: {error}") from error


def place_of_branch(run_id: str, branch: str, seq: int) -> tuple[str | int, ...]:
    """Where the state of a branch is that stands before step `seq`."""
    return "branch", run_id, branch, seq


def place_of_call(run_id: str, row: JournalRecord, kind: JournalKind) -> tuple[str, ...]:
    """Where the value of a journal row is, of this kind."""
    return "call", run_id, row.path, kind.value


def place_of_event(run_id: str, event: EventRecord) -> tuple[str | int, ...]:
    """Where the body of an event is."""
    return "event", run_id, event.branch, event.seq, event.attempt, event.n


def place_of_step(run_id: str, branch: str, seq: int) -> tuple[str | int, ...]:
    """Where the fields of a step are."""
    return "step", run_id, branch, seq


def about(*place: str | int) -> bytes:
    """A place in bytes, as a cipher takes it."""
    return to_json(place)


def _words(place: tuple[str | int, ...]) -> str:
    match place:
        case ("step", run_id, _, seq, field):
            return f"run {run_id!r}, step {seq}: the {field}"
        case ("call", run_id, path, _):
            return f"run {run_id!r}: the value of call {path!r}"
        case ("branch", run_id, branch, _):
            return f"run {run_id!r}: the state of branch {branch}"
        case ("event", run_id, _, seq, _, n):
            return f"run {run_id!r}, step {seq}: event {n}"
        case _:
            return f"run {place[1]!r}: the {place[-1]}"


def as_text(sealed: bytes) -> str:
    """Sealed bytes where only text can stand."""
    return b64encode(sealed).decode()


def from_text(text: str) -> bytes:
    """Undo `as_text`; nothing, which cannot be opened, of what it did not make."""
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return b""
