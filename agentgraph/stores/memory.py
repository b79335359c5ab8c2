"""Runs kept in this process: the store of whoever named none.

It keeps every rule of the port with a lock and plain values. A run that somebody executes stays his until he
settles it, for only this process can execute it: no lease runs out. What nobody can ask for is forgotten at once,
the rest up to a bound (`retention.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from agentgraph.clock import Clock, SystemClock, unix_time
from agentgraph.exceptions import RunExists, RunFenced, UserError
from agentgraph.graph.lifecycle import Status
from agentgraph.graph.questions import answered, answered_meanwhile, overtaken, pick_question
from agentgraph.graph.store import (
    OPENING,
    ROOT,
    Alarm,
    Commit,
    EventKind,
    EventRecord,
    JournalRecord,
    Lapsed,
    NeverWaits,
    NewRun,
    RunRecord,
    Settlement,
    Signal,
    StoredRun,
    never_lapses,
)

from .blobs import Cutter
from .claims import cancelled, check_turn, claimed, committed, created, settled
from .memory_runs import PLACE, MemoryRun, MemoryRuns
from .owner import is_dead, this_process
from .removal import check_rest, doomed

__all__ = ["MemoryStore"]


class MemoryStore(MemoryRuns, NeverWaits):
    """Keeps runs in this process, encoded as every store keeps them.

    A succeeded run without a chosen id, conversation or parent is forgotten at once; of the others the store keeps
    `keep` and forgets finished ones first. Runs that are executed, or were submitted and have not ended, runs that
    another kept run goes on from and children of kept runs are never forgotten, and do not count.

    Args:
        keep: How many runs to keep that nobody executes, at least 0.
        clock: Where the times of its records come from.

    Raises:
        UserError: `keep` is negative.
    """

    def __init__(self, keep: int = 1000, *, clock: Clock | None = None) -> None:
        if keep < 0:
            raise UserError(f"a memory store cannot keep {keep} runs; give `keep` a number of at least 0")
        super().__init__(keep)
        self._clock = clock or SystemClock()

    async def create(self, run: NewRun) -> RunRecord:
        cutter = Cutter()
        run = cutter.new_run(run)
        with self._lock:
            if run.run_id in self._runs:
                raise RunExists(run.run_id)
            self._check_origin(run.origin)
            newest = None if run.conversation is None else self._head(run.conversation)
            now = created(self._now(), newest)
            if run.opening is not None and newest is not None:
                check_turn(newest, run, now, is_dead, held=True)
            owner = this_process() if run.status is Status.RUNNING else None
            self._runs[run.run_id] = kept = MemoryRun.begun(run, now, owner)
            self._index.add(run.run_id, kept.kin)
            self._retention.add(run.run_id, self._known(run.parent), self._known(run.origin and run.origin[0]))
            if run.status is not Status.RUNNING:
                kept.epoch = kept.attempt = 0
                self._rest(kept, run.status)
            self.blobs.keep(cutter.blobs)
            return self._whole([kept.record()])[0] if cutter.blobs else kept.record()

    async def claim(self, run_id: str, options: bytes | None = None) -> RunRecord:
        cutter = Cutter()
        options = None if options is None else cutter.payload(run_id, options)
        with self._lock:
            run, now = self._find(run_id), self._now()
            if run.status is Status.SUCCEEDED:
                return self._whole([run.record()])[0]
            run.status = claimed(run.record(), now, is_dead, held=True)
            run.owner, run.epoch, run.attempt = this_process(), run.epoch + 1, run.attempt + 1
            run.error, run.wake_at, run.asked, run.updated_at = None, None, False, now
            run.ring(Signal.LOST)
            run.alarm = None
            if options is not None:
                run.options = options
            self.blobs.keep(cutter.blobs)
            self._retention.wake(run_id)
            self._watchers.ring([run_id])
            return self._whole([run.record()])[0]

    def watch(self, run_id: str, epoch: int, alarm: Alarm) -> Lapsed:
        with self._lock:
            run = self._runs.get(run_id)
            if run is not None and run.owner is not None and run.epoch == epoch:
                run.alarm = alarm
                return never_lapses
        alarm(Signal.LOST, PLACE)
        return never_lapses

    async def commit(self, commit: Commit) -> Status:
        cutter = Cutter()
        commit = cutter.commit(commit)
        step = commit.step
        with self._lock:
            run = self._owned(commit.run_id, commit.epoch, step.seq, step.branch)
            if commit.calls and overtaken(commit, run.journal.values()):
                raise RunFenced(commit.run_id, step.seq)
            if cutter.blobs:
                self.blobs.keep(cutter.blobs)
            run.take(commit)
            run.attempt, run.updated_at = 1, self._now()
            if commit.told and run.events is not None:
                run.events = [each for each in run.events if each.kind is not EventKind.TEXT]
            status = committed(commit.status, asked=run.asked)
            if status is not Status.RUNNING and step.branch == ROOT:
                run.attempt = 0
                self._rest(run, status)
            self._watchers.ring([commit.run_id])
            return status

    async def journal(self, run_id: str, epoch: int, record: JournalRecord) -> None:
        cutter = Cutter()
        record = cutter.call(run_id, record)
        with self._lock:
            run = self._owned(run_id, epoch, record.seq, record.branch)
            self.blobs.keep(cutter.blobs)
            run.journal[record.branch, record.seq, record.key] = record
            self._watchers.ring([run_id])

    def tell(self, run_id: str, epoch: int, event: EventRecord) -> None:
        with self._lock:
            run = self._runs.get(run_id)
            if run is None or run.status is not Status.RUNNING or (run.epoch, run.seq) != (epoch, event.seq):
                return
            run.events = [] if run.events is None else run.events
            run.events.append(event)
            self._watchers.ring([run_id])

    async def settle(self, settlement: Settlement) -> Status:
        cutter = Cutter()
        settlement = cutter.settlement(settlement)
        with self._lock:
            known = self._runs.get(settlement.run_id)
            run = self._owned(settlement.run_id, settlement.epoch, OPENING if known is None else known.seq)
            status = settled(settlement.event, asked=run.asked)
            if answered_meanwhile(settlement.questions, run.journal.values()):
                return Status.RUNNING
            self.blobs.keep(cutter.blobs)
            for record in (*settlement.journal, *settlement.questions):
                run.journal[record.branch, record.seq, record.key] = record
            run.error, run.wake_at, run.updated_at = settlement.error, settlement.wake_at, self._now()
            self._rest(run, status)
            self._watchers.ring([settlement.run_id])
            return status

    async def answer(self, run_id: str, key: str, value: object, digest: str | None = None) -> None:
        with self._lock:
            run = self._find(run_id)
            asked = pick_question(run_id, list(run.journal.values()), key, digest)
            run.journal[asked.branch, asked.seq, asked.key] = answered(asked, value)
            run.updated_at = self._now()

    async def cancel(self, run_id: str) -> Status:
        with self._lock:
            run = self._find(run_id)
            status = cancelled(run.record(), self._now(), is_dead, held=True)
            if status is Status.RUNNING:
                run.asked = True
                run.ring(Signal.CANCEL)
            elif status is not run.status:
                run.updated_at = self._now()
                self._rest(run, status)
                self._watchers.ring([run_id])
            return status

    async def insert(self, runs: Sequence[StoredRun]) -> None:
        cutter = Cutter()
        new = {stored.run.run_id: MemoryRun.inserted(cutter.stored(stored)) for stored in runs}
        with self._lock:
            for run_id, run in new.items():
                if run_id in self._runs:
                    raise RunExists(run_id)
                self._check_origin(run.origin, new)
            self._runs |= new
            self.blobs.keep(cutter.blobs)
            for run_id, run in new.items():
                self._index.add(run_id, run.kin)
                self._retention.add(run_id, self._known(run.parent), self._known(run.origin and run.origin[0]))
            for run in new.values():
                self._rest(run, run.status)

    async def delete(self, run_id: str) -> Sequence[str]:
        with self._lock:
            now = self._now()
            gone = doomed(
                self._find(run_id).record(), self._relatives(), lambda run: check_rest(run, now, is_dead, held=True)
            )
            ids = [run.run_id for run in gone]
            self._forget(self._retention.remove(ids))
            self._watchers.ring(ids)
            return ids

    async def aclose(self) -> None:
        """Give up all runs that are executed, so that they can be claimed; the store stays usable."""
        with self._lock:
            for run in self._runs.values():
                run.owner = None

    def _now(self) -> float:
        return unix_time(self._clock)

    def _known(self, run_id: str | None) -> str | None:
        return run_id if run_id in self._runs else None

    def _owned(self, run_id: str, epoch: int, seq: int, branch: str = ROOT) -> MemoryRun:
        run = self._runs.get(run_id)
        if run is None or run.status is not Status.RUNNING or (run.epoch, run.at(branch)) != (epoch, seq):
            raise RunFenced(run_id, seq)
        return run
