"""Any store, with what was said in it encrypted."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from agentgraph.graph.lifecycle import Status
from agentgraph.graph.questions import pick_question
from agentgraph.graph.records import Alarm, Lapsed
from agentgraph.graph.store import (
    OPENING,
    BranchRecord,
    Changes,
    Commit,
    EventRecord,
    JournalRecord,
    NewRun,
    RunFilter,
    RunRecord,
    Settlement,
    StepRecord,
    Store,
    StoredRun,
)

from .ciphers import Cipher
from .envelopes import Envelope
from .sealing import Sealer
from .unsealing import Unsealer

__all__ = ["EncryptedStore"]


class EncryptedReads:
    """The reading half of `EncryptedStore`."""

    def __init__(self, store: Store, envelope: Envelope) -> None:
        self._store, self._unsealer = store, Unsealer(envelope)

    async def load(self, run_id: str) -> RunRecord:
        return self._unsealer.run(await self._store.load(run_id))

    async def steps(self, run_id: str, after: int = OPENING - 1) -> list[StepRecord]:
        return [self._unsealer.step(run_id, step) for step in await self._store.steps(run_id, after)]

    async def calls(self, run_id: str) -> list[JournalRecord]:
        return [self._unsealer.call(run_id, row) for row in await self._store.calls(run_id)]

    async def events(self, run_id: str, since: tuple[int, int, int] = (OPENING, 0, 0)) -> list[EventRecord]:
        return [self._unsealer.event(run_id, event) for event in await self._store.events(run_id, since)]

    async def branches(self, run_id: str) -> list[BranchRecord]:
        return [self._unsealer.branch(run_id, branch) for branch in await self._store.branches(run_id)]

    def changes(self, run_id: str) -> AbstractAsyncContextManager[Changes]:
        return self._store.changes(run_id)

    # Last: what stands below it could not say `list[…]`.
    async def list(self, which: RunFilter | None = None) -> list[RunRecord]:
        return [self._unsealer.run(run) for run in await self._store.list(which)]


class EncryptedStore(EncryptedReads):
    """Encrypts what goes into another store: messages, states, results, options, calls, answers, events, errors.

    Ids, names of agents, nodes and conversations, keys of calls, status, times and usage stay readable, so that the
    other store can be listed without the key. Each value is bound to its run and its place, so one that was changed
    or moved is refused. What is not encrypted is refused as well: bring runs over by `export_run` and `import_run`.

    Args:
        store: Where the runs are kept; `aclose` closes it.
        cipher: `SivCipher(key)`, or one of yours.
    """

    def __init__(self, store: Store, cipher: Cipher) -> None:
        envelope = Envelope(cipher)
        super().__init__(store, envelope)
        self._sealer = Sealer(envelope)

    def __repr__(self) -> str:
        return f"EncryptedStore({self._store!r})"

    async def create(self, run: NewRun) -> RunRecord:
        created = await self._store.create(self._sealer.new_run(run))
        return replace(created, state=run.state, options=run.options)

    async def claim(self, run_id: str, options: bytes | None = None) -> RunRecord:
        await self.load(run_id)  # with a wrong key, nothing is claimed
        sealed = None if options is None else self._sealer.of_run(run_id, "options", options)
        return self._unsealer.run(await self._store.claim(run_id, sealed))

    async def commit(self, commit: Commit) -> Status:
        return await self._store.commit(self._sealer.commit(commit))

    async def journal(self, run_id: str, epoch: int, record: JournalRecord) -> None:
        await self._store.journal(run_id, epoch, self._sealer.call(run_id, record))

    def tell(self, run_id: str, epoch: int, event: EventRecord) -> None:
        self._store.tell(run_id, epoch, self._sealer.event(run_id, event))

    async def settle(self, settlement: Settlement) -> Status:
        rows = await self._store.calls(settlement.run_id) if settlement.questions else []
        known = {row.path: (self._unsealer.call(settlement.run_id, row).digest, row.digest) for row in rows}
        return await self._store.settle(self._sealer.settlement(settlement, known))

    async def answer(self, run_id: str, key: str, value: object, digest: str | None = None) -> None:
        await self._store.load(run_id)
        rows = await self._store.calls(run_id)
        asked = pick_question(run_id, [self._unsealer.call(run_id, row) for row in rows], key, digest)
        stands = next(row.digest for row in rows if row.path == asked.path)
        await self._store.answer(run_id, asked.path, self._sealer.answer(run_id, asked, value), stands)

    async def cancel(self, run_id: str) -> Status:
        return await self._store.cancel(run_id)

    def watch(self, run_id: str, epoch: int, alarm: Alarm) -> Lapsed:
        return self._store.watch(run_id, epoch, alarm)

    async def insert(self, runs: Sequence[StoredRun]) -> None:
        await self._store.insert([self._sealer.stored(run) for run in runs])

    async def delete(self, run_id: str) -> Sequence[str]:
        return await self._store.delete(run_id)

    async def aclose(self) -> None:
        """Close the store that keeps the runs."""
        await self._store.aclose()
