r"""Big payloads: a single text or bytes of over 64 KiB is cut out of what is stored, and stored once, by its digest.

    {"data":"iVBORw0KGgo…","kind":"image"}   becomes   @[[8,"9f86d081884c7d65…"]]\n{"data":,"kind":"image"}

The line in front says where in the rest a blob belongs, by its offset, and which. Blobs are cut at the strings of JSON,
so the same image in a hundred turns, or in many runs, is one blob; sealed bytes (`sealing.py`) say themselves where
they can be cut. Nothing that is stored begins with `@` by itself: what does is given an empty line in front.

A store cuts on the way in (`Cutter`) and joins on the way out (`whole`), so nobody above it knows. Beside the blobs it
keeps which run refers to which: a blob goes with the last run that does. Questions and answers are not cut: the store
itself reads them, and they are gone with their step.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, TypeVar, assert_never

from pydantic_core import from_json, to_json

from agentgraph.exceptions import DecodeError
from agentgraph.graph.store import (
    BranchRecord,
    Commit,
    JournalKind,
    JournalRecord,
    NewRun,
    RunRecord,
    Settlement,
    StepRecord,
    StoredRun,
)

from .pieces import pieces_of

__all__ = ["LIMIT", "Blobs", "Cutter", "Stored", "cut", "digests_in", "digests_of", "is_cut", "join", "whole"]

LIMIT = 64 * 1024
"""Bytes of a value, as it is stored, above which it is cut out."""

Blobs = Mapping[tuple[str, str], bytes]
"""What a write refers to: by the run and the digest."""

Stored = RunRecord | StepRecord | JournalRecord | BranchRecord
"""What is read."""

T = TypeVar("T", bound=Stored)
CutT = TypeVar("CutT", RunRecord, StepRecord, NewRun, Commit, BranchRecord)

_MARK = b"@"

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
"""A string of JSON. It never looks back, so it takes no memory for what it has passed."""


def cut(data: bytes) -> tuple[bytes, Mapping[str, bytes]]:
    """Take what is big out; returns the rest, and the blobs by their digests."""
    if _are_small(data):
        return data, {}
    places: list[tuple[int, str]] = []
    blobs: dict[str, bytes] = {}
    rest: list[bytes] = []
    done = length = 0
    for start, end in _spans(data):
        if end - start > LIMIT:
            blob = data[start:end]
            rest.append(data[done:start])
            done, length = end, length + start - done
            places.append((length, sha256(blob).hexdigest()))
            blobs[places[-1][1]] = blob
    if not places and data[:1] != _MARK:
        return data, {}
    return b"".join([_MARK, to_json(places), b"\n", *rest, data[done:]]), blobs


def _are_small(*payloads: bytes) -> bool:
    """Whether nothing can be cut out of them."""
    return max(map(len, payloads)) <= LIMIT and _MARK not in [data[:1] for data in payloads]


def join(data: bytes, blobs: Mapping[str, bytes]) -> bytes:
    """Undo `cut`.

    Raises:
        KeyError: a blob is missing; its digest.
    """
    if data[:1] != _MARK:
        return data
    places, rest = _read(data)
    parts: list[bytes] = []
    done = 0
    for offset, digest in places:
        parts += (rest[done:offset], blobs[digest])
        done = offset
    return b"".join([*parts, rest[done:]])


def _spans(data: bytes) -> Iterable[tuple[int, int]]:
    pieces = pieces_of(data)
    if pieces is not None:
        return pieces
    if b'\\"' not in data and max(map(len, data.split(b'"'))) < LIMIT:
        return []  # many strings, none of them big: ten times as fast
    return [match.span() for match in _STRING.finditer(data)]


def _read(data: bytes) -> tuple[list[tuple[int, str]], bytes]:
    head, _, rest = data[1:].partition(b"\n")
    return from_json(head), rest


class Cutter:
    """Cuts what is about to be written, and collects the blobs."""

    def __init__(self) -> None:
        self.blobs: dict[tuple[str, str], bytes] = {}

    def new_run(self, run: NewRun) -> NewRun:
        opening = run.opening
        begun = (run.state, run.options) if opening is None else (run.state, run.options, opening.body, opening.state)
        if not run.calls and not run.branches and _are_small(*begun):
            return run
        shrunk = self._record(run.run_id, run)
        opening = None if opening is None else self._record(run.run_id, opening)
        calls, branches = self.calls(run.run_id, run.calls), self._branches(run.run_id, run.branches)
        return replace(shrunk, opening=opening, calls=calls, branches=branches)

    def commit(self, commit: Commit) -> Commit:
        step = commit.step
        size = len(step.body) + len(step.state) + len(commit.state)
        if size <= LIMIT and not commit.calls and _MARK not in (step.body[:1], step.state[:1], commit.state[:1]):
            return commit  # as nearly all are
        shrunk = self._record(commit.run_id, commit)
        step = self._record(commit.run_id, step)
        if commit.calls:
            shrunk = replace(shrunk, calls=self.calls(commit.run_id, commit.calls))
        return shrunk if step is commit.step else replace(shrunk, step=step)

    def call(self, run_id: str, row: JournalRecord) -> JournalRecord:
        if row.kind in (JournalKind.ASKED, JournalKind.ANSWERED):
            return row
        value = self.payload(run_id, row.value)
        return row if value is row.value else replace(row, value=value)

    def calls(self, run_id: str, rows: Sequence[JournalRecord]) -> Sequence[JournalRecord]:
        return [self.call(run_id, row) for row in rows]

    def settlement(self, settlement: Settlement) -> Settlement:
        if not settlement.journal:
            return settlement
        return replace(settlement, journal=self.calls(settlement.run_id, settlement.journal))

    def stored(self, stored: StoredRun) -> StoredRun:
        run_id = stored.run.run_id
        steps = [self._record(run_id, step) for step in stored.steps]
        calls, branches = self.calls(run_id, stored.calls), self._branches(run_id, stored.branches)
        return replace(stored, run=self._record(run_id, stored.run), steps=steps, calls=calls, branches=branches)

    def _branches(self, run_id: str, branches: Sequence[BranchRecord]) -> Sequence[BranchRecord]:
        return [self._record(run_id, branch) for branch in branches]

    def payload(self, run_id: str, data: bytes) -> bytes:
        rest, blobs = cut(data)
        self.blobs.update({(run_id, digest): blob for digest, blob in blobs.items()})
        return rest

    def _record(self, run_id: str, record: CutT) -> CutT:
        payloads = _payloads(record)
        found = {name: self.payload(run_id, data) for name, data in payloads.items()}
        changed: Any = {name: data for name, data in found.items() if data is not payloads[name]}  # any: fields by name
        return replace(record, **changed) if changed else record


def is_cut(record: Stored) -> bool:
    """Whether a record is not whole."""
    if isinstance(record, StepRecord):  # the rest of this, for the many
        return record.body[:1] == _MARK or record.state[:1] == _MARK
    return any(data[:1] == _MARK for data in _payloads(record).values())


def digests_in(records: Iterable[Stored]) -> set[str]:
    """The blobs that the records as they are stored refer to."""
    cut_off = [data for record in records for data in _payloads(record).values() if data[:1] == _MARK]
    return {digest for data in cut_off for digest in digests_of(data)}


def digests_of(data: bytes) -> list[str]:
    """The blobs that were cut out of it, each once, in the order in which they stand there."""
    return list(dict.fromkeys(digest for _, digest in _read(data)[0])) if data[:1] == _MARK else []


def whole(
    query: Callable[[], Sequence[T]],
    fetch: Callable[[Sequence[str]], Mapping[str, bytes]],
    run_id: str | None = None,
) -> list[T]:
    """What `query` finds of a run, joined with what `fetch` gives of the blobs.

    A run may be deleted between the two, and its blobs with it, so where one is missing both are asked again. Of many
    runs (`run_id` is None), one that lacks a blob does not hide the others: it stays as it is stored.

    Raises:
        DecodeError: a blob is missing; names the run, the step and the field.
    """
    found, blobs = query(), dict[str, bytes]()
    if not any(map(is_cut, found)):
        return [*found]
    for _ in range(2):
        digests = digests_in(found)
        if digests <= blobs.keys():
            break
        blobs = dict(fetch(sorted(digests)))
        found = found if digests <= blobs.keys() else query()
    return [_joined(record, blobs, run_id) for record in found]


def _joined(record: T, blobs: Mapping[str, bytes], run_id: str | None) -> T:
    cut_off = {name: data for name, data in _payloads(record).items() if data[:1] == _MARK}
    changed: dict[str, Any] = {}  # any: fields by name
    for name, data in cut_off.items():
        places, rest = _read(data)
        lost = [(offset, digest) for offset, digest in places if digest not in blobs]
        if not lost:
            changed[name] = join(data, blobs)
        elif run_id is not None:
            offset, digest = lost[0]
            reason = f"the store has lost the big value there, its blob {digest[:12]}…"
            raise DecodeError(run_id, record.seq, _where(record, name, rest[:offset]), reason)
    return replace(record, **changed) if changed else record


def _payloads(record: Stored | NewRun | Commit) -> dict[str, bytes]:
    match record:
        case RunRecord() | NewRun():
            return {"state": record.state, "options": record.options}
        case StepRecord():
            return {"body": record.body, "state": record.state}
        case JournalRecord():
            return {"value": record.value}
        case Commit() | BranchRecord():
            return {"state": record.state}
        case _ as unreachable:
            assert_never(unreachable)


def _where(record: Stored, name: str, before: bytes) -> str:
    """Which field has lost a blob; `before` is what stands before it."""
    match record:
        case JournalRecord():
            return f"the value of call {record.key!r}"
        case StepRecord() if name == "body":
            head, *lines = before.split(b"\n")
            try:
                return _field_of_line(from_json(head), len(lines))
            except (ValueError, KeyError, TypeError):
                return "the body"  # encrypted, or not by us
        case _:
            return f"the {name}"


def _field_of_line(head: Any, line: int) -> str:  # any: JSON
    """The line of a step's body as people know it; see `agentgraph.graph`, whose format it is."""
    fields = [f"{head['to']}.{name}" for name, slot in head["fields"].items() if slot == line]
    items = [
        f"item {keep + added.index(line)} of {name}"
        for name, (keep, _, added) in head["lists"].items()
        if line in added
    ]
    replaced = [
        f"item {at} of {name}"
        for name, (_, slots, _) in head["lists"].items()
        for at, slot in slots.items()
        if slot == line
    ]
    return next(iter([*fields, *items, *replaced]), "the body")
