r"""One run as one JSON file: for a bug report, for a test, for another store.

    {"agentgraph":"run","format":1,"run_id":"order-17","runs":[{"run":{…},"steps":[…],"calls":[…]}, …]}

`runs` holds the run, all runs below it and all runs that these go on from, each with its rows as they are stored.
Bytes are text if they are UTF-8, else `{"base64":"…"}`. Who executes a run is left out, for that ends at the store.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from agentgraph.exceptions import UserError
from agentgraph.graph.lifecycle import Status
from agentgraph.graph.lineage import committed_before
from agentgraph.graph.questions import Question
from agentgraph.graph.store import (
    ROOT,
    BranchRecord,
    JournalKind,
    JournalRecord,
    RunFilter,
    RunReader,
    RunRecord,
    StepRecord,
    Store,
    StoredRun,
)

__all__ = ["FORMAT", "export_run", "import_run"]

FORMAT = 1
"""Of the file; the bodies in it have a format of their own."""


async def export_run(store: RunReader, run_id: str) -> bytes:
    """A run with all runs below it and all that they go on from, as one JSON file.

    The file holds all that was said: treat it as you treat the store. A run that is executed meanwhile is written as it
    was after one of its steps.

    Raises:
        RunNotFound: there is no such run, or one that it goes on from is gone.
        StoreError: the store cannot be read.
    """
    runs: dict[str, StoredRun] = {}
    todo = [run_id]
    while todo:
        next_id = todo.pop()
        if next_id not in runs:
            stored, children = await _read(store, next_id)
            runs[next_id] = stored
            todo += children
            todo += [] if stored.run.origin is None else [stored.run.origin[0]]
    head = {"agentgraph": "run", "format": FORMAT, "run_id": run_id}
    return to_json({**head, "runs": [_plain(stored) for stored in runs.values()]}, indent=1)


async def import_run(store: Store, data: bytes | str, *, prefix: str = "") -> str:
    """Write the runs of a file that `export_run` has made, all of them or none; returns the id of the one it is about.

    Nobody executes them: one that was executed is pending. They keep their times. A child whose parent is not in the
    file belongs to nobody.

    Args:
        store: where to.
        data: the file.
        prefix: put before the ids of all runs and conversations, where the store has such runs already.

    Raises:
        RunExists: the store has one of the runs.
        UserError: the data is no such file, or a newer release wrote it; says which.
        StoreError: the store cannot be written; or the runs are encrypted in the file, so they have to keep their ids.
    """
    file = _parse(data)
    known = {stored.run.run_id for stored in file.runs}
    if prefix:  # what is encrypted is bound to its id
        for stored in file.runs:
            stored.run.check_readable()
    await store.insert([_renamed(stored, prefix, known) for stored in file.runs])
    return prefix + file.run_id


@dataclass(frozen=True)
class _File:
    run_id: str
    runs: list[StoredRun]


async def _read(store: RunReader, run_id: str) -> tuple[StoredRun, list[str]]:
    """A run, and its children: none that were started by steps which are not among its own."""
    seen: RunRecord | None = None
    while True:
        # The journal first: a row that the run has left behind meanwhile is told by its step, a missing one by nothing.
        children = await _children(store, run_id)
        calls = await store.calls(run_id)
        branches = await store.branches(run_id)
        run = await store.load(run_id)
        # One that has come to rest meanwhile has written questions and calls as it did.
        rested = run.status is Status.RUNNING or run == seen
        if rested and all(branch.branch.startswith(f"{run.seq - 1}:") for branch in branches):
            break  # else it has gone on meanwhile, past the fork that these belong to
        seen = run
    steps = await store.steps(run_id)
    at = {ROOT: run.seq, **{branch.branch: branch.seq for branch in branches}}
    stored = StoredRun(
        run=run,
        steps=committed_before(at, steps),
        calls=[call for call in calls if call.seq == at.get(call.branch)],
        branches=branches,
    )
    return stored, children


async def _children(store: RunReader, run_id: str) -> list[str]:
    found: list[str] = []
    which = RunFilter(parent=run_id)
    while page := await store.list(which):
        found += [child.run_id for child in page]
        which = replace(which, before=(page[-1].created_at, page[-1].run_id))
    return found


def _plain(stored: StoredRun) -> dict[str, object]:
    return {
        "run": _fields(replace(stored.run, owner=None, lease_until=0.0, dispatch=None)),
        "steps": [_fields(step) for step in stored.steps],
        "calls": [_fields(call) for call in stored.calls],
        **({"branches": [_fields(branch) for branch in stored.branches]} if stored.branches else {}),
    }


def _fields(record: RunRecord | StepRecord | JournalRecord | BranchRecord) -> dict[str, object]:
    values = {each.name: getattr(record, each.name) for each in fields(record)}
    return {name: _text(value) if isinstance(value, bytes) else value for name, value in values.items()}


def _text(value: bytes) -> object:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": b64encode(value).decode()}


def _parse(data: bytes | str) -> _File:
    try:
        found: Any = json.loads(data, object_hook=_with_bytes)  # any: what JSON holds
    except (ValueError, RecursionError) as error:
        raise UserError(f"this is no exported run: {error}") from error
    match found:
        case {"agentgraph": "run", "format": number}:
            if number != FORMAT:
                raise UserError(
                    f"this run was exported in format {number}, this release reads format {FORMAT}; upgrade agentgraph"
                )
        case _:
            raise UserError('this is no exported run: it lacks {"agentgraph": "run", "format": …}')
    try:
        file = _adapter().validate_python(found)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"this exported run is broken at {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    _check(file)
    return file


def _with_bytes(found: dict[str, Any]) -> Any:  # what JSON holds
    match found:
        case {"base64": str(text), **rest} if not rest:
            return b64decode(text, validate=True)
        case _:
            return found


def _check(file: _File) -> None:
    ids = [stored.run.run_id for stored in file.runs]
    origins = [stored.run.origin[0] for stored in file.runs if stored.run.origin is not None]
    missing = sorted({file.run_id, *origins} - set(ids))
    if missing:
        raise UserError(f"this exported run is not whole: {', '.join(missing)} is missing in it")
    if len(set(ids)) < len(ids):
        raise UserError("this exported run is broken: it holds a run twice")


def _renamed(stored: StoredRun, prefix: str, known: set[str]) -> StoredRun:
    run = stored.run
    renamed = replace(
        run,
        run_id=prefix + run.run_id,
        parent=prefix + run.parent if run.parent is not None and run.parent in known else None,
        origin=None if run.origin is None else (prefix + run.origin[0], run.origin[1]),
        conversation=None if run.conversation is None else prefix + run.conversation,
    )
    try:
        calls = [_with_new_id(row, run.run_id, prefix) for row in stored.calls] if prefix else stored.calls
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"this exported run is broken: a question of run {run.run_id!r} cannot be read") from error
    return replace(stored, run=renamed, calls=calls)


def _with_new_id(row: JournalRecord, run_id: str, prefix: str) -> JournalRecord:
    """A question names the run that asks it."""
    if row.kind is not JournalKind.ASKED:
        return row
    question = Question.read(row)
    return replace(question, run_id=prefix + question.run_id).row(prefix + run_id, row.seq, row.branch)


@cache
def _adapter() -> TypeAdapter[_File]:
    return TypeAdapter(_File)
