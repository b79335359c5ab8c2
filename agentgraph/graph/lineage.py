"""Runs that go on from others: forks, and the turns of a conversation. History is pointed at, never copied.

A run with an `origin` `(run, n)` begins where the steps of that run below `n` left it. A fork has no opening of its
own: its first step is `n`. The next turn of a conversation has one, on top of all steps of the turn before. Either
way the rows of a run are those of its origin below `n`, then its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf

from pydantic_core import from_json, to_json

from agentgraph.exceptions import DecodeError, UserError

from .body import Fold
from .checks import END, FORK
from .frontier import branch_path
from .lifecycle import Status
from .store import OPENING, ROOT, BranchRecord, JournalKind, NewRun, RunReader, RunRecord, StepRecord, Store

__all__ = ["as_it_stood", "committed_before", "folded", "fork", "lineage"]


async def lineage(store: RunReader, record: RunRecord, at: Mapping[str, int] | None = None) -> list[StepRecord]:
    """All rows that a run consists of, the oldest first, or only those before the steps `at` which its branches stood.

    Raises:
        RunNotFound: a run that it goes on from is gone.
        StoreError: the store cannot be read, or was opened without the key of what is encrypted.
    """
    record.check_readable()
    newest_first: list[list[StepRecord]] = []
    while True:  # a conversation may have more turns than Python has frames
        own = await store.steps(record.run_id)
        kept = own if at is None else committed_before(at, own)
        newest_first.append(kept)
        if record.origin is None:
            return [row for rows in reversed(newest_first) for row in rows]
        origin, before = record.origin
        if own and own[0].seq == OPENING:
            at = {ROOT: before}
        else:
            at = await _at_fork(store, record, at, kept)
        record = await store.load(origin)


async def _at_fork(
    store: RunReader, record: RunRecord, at: Mapping[str, int] | None, own: Iterable[StepRecord]
) -> Mapping[str, int]:
    """Where the branches of a fork's origin stood when it was made: each before the first step that is its own."""
    assert record.origin is not None
    before = record.origin[1]
    if at is None:
        at = {branch.branch: branch.seq for branch in await store.branches(record.run_id)}
    first: dict[str, int] = {}
    for row in own:
        first[row.branch] = min(row.seq, first.get(row.branch, row.seq))
    return {**at, **first, ROOT: min(before, at.get(ROOT, before))}


def committed_before(at: Mapping[str, int], rows: Iterable[StepRecord]) -> list[StepRecord]:
    """The rows of a run as it stood when its branches, the root and all that were open, stood before the steps `at`."""
    return [row for row in rows if row.seq < _limit(row.branch, at)]


def _limit(branch: str, at: Mapping[str, int]) -> float:
    """So many steps of the branch were committed; one that is not open has ended, if its fork was there at all."""
    if branch in at:
        return at[branch]
    above, _, last = branch.rpartition("/")
    return inf if _limit(above, at) > int(last.partition(":")[0]) else 0


async def as_it_stood(store: RunReader, record: RunRecord, at: int) -> tuple[list[StepRecord], Sequence[BranchRecord]]:
    """All rows of a run as it stood before the root's step `at`, and its branches; it may go on meanwhile.

    Raises:
        RunNotFound: a run that it goes on from is gone.
        DecodeError, StoreError: it cannot be read.
    """
    region = f"{at - 1}:"  # another one, perhaps, if the run goes on meanwhile
    stand = await store.branches(record.run_id) if at == record.seq else []
    branches = [branch for branch in stand if branch.branch.startswith(region)]
    rows = await lineage(store, record, {ROOT: at, **{branch.branch: branch.seq for branch in branches}})
    newest = [row for row in rows if row.branch == ROOT][-1:]
    left = not branches and any(row.outcome == FORK for row in newest)
    return rows, _left(record, rows, at - 1) if left else branches


async def fork(
    store: Store, record: RunRecord, run_id: str, step: int | None = None, conversation: str | None = None
) -> RunRecord:
    """Make a run that goes on from another: at its step `step` as it was then, by default where it stands now.

    Nothing is executed, and the other run is not touched. At the step that is pending there, the finished calls of the
    journal come along, questions and answers do not.

    Raises:
        UserError: it has no such step.
        RunExists, StoreError: see `Store.create`.
    """
    # The journal first: a row that the run has left behind meanwhile is told by its step, a missing one by nothing. The
    # branches last: what is not among them any more has ended.
    calls = await store.calls(record.run_id)
    record = await store.load(record.run_id)
    at = record.seq if step is None else step
    if not 0 <= at <= record.seq:
        raise UserError(f"run {record.run_id!r} has no step {at} to fork at; its steps are 0 to {record.seq}")
    rows, branches = await as_it_stood(store, record, at)
    stood = {ROOT: at, **{branch.branch: branch.seq for branch in branches}}
    state: dict[str, object] = {}
    usage, pending = b"{}", ""
    for row in rows:
        if row.branch == ROOT:
            state |= from_json(row.state) if row.state else {}
            usage, pending = row.usage or usage, row.outcome
    finished = (JournalKind.DONE, JournalKind.LOST)
    return await store.create(
        NewRun(
            run_id=run_id,
            graph=record.graph,
            agent=record.agent,
            seq=at,
            pending=pending,
            status=Status.SUCCEEDED if pending == END else Status.PENDING,
            state=to_json(state),
            usage=usage,
            options=record.options,
            conversation=conversation,
            origin=(record.run_id, at),
            named=True,
            calls=[row for row in calls if row.seq == stood.get(row.branch) and row.kind in finished],
            branches=branches,
        )
    )


def folded(run_id: str, fold: Fold, steps: Iterable[StepRecord]) -> Fold:
    """What the bodies of these steps add to `fold`.

    Raises:
        DecodeError: one of them cannot be read.
    """
    for step in steps:
        try:
            fold.add(step.body)
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise DecodeError(run_id, step.seq, "the body", str(error)) from error
    return fold


def _left(record: RunRecord, rows: Iterable[StepRecord], seq: int) -> list[BranchRecord]:
    """The branches of the fork to which the root's step `seq` led, as they stood when the run went on behind it."""
    of: dict[str, list[StepRecord]] = {}
    for row in rows:
        of.setdefault(row.branch, []).append(row)
    fold = folded(record.run_id, Fold(), of[ROOT])
    return [*_opened(record.run_id, of, (ROOT, seq, fold))]


def _opened(
    run_id: str, rows: Mapping[str, Sequence[StepRecord]], fork: tuple[str, int, Fold]
) -> Iterator[BranchRecord]:
    path, seq, before = fork
    for position, node in enumerate(from_json(before.fields["fork"])["nodes"]):
        branch, state = branch_path(path, seq, position), dict[str, object]()
        own = rows.get(branch, ())
        if not own:
            yield BranchRecord(branch=branch, node=node)
            continue
        for row in own:
            state |= from_json(row.state) if row.state else {}
        newest = own[-1]
        yield BranchRecord(branch=branch, seq=newest.seq + 1, node=newest.outcome, state=to_json(state))
        if newest.outcome == FORK:
            yield from _opened(run_id, rows, (branch, newest.seq, folded(run_id, before.branch(position, node), own)))
