"""Processes do anything to runs of an agent, in any order and amidst each other: all that was written had to be.

Each rule is a share of a process in the runs: it begins one or goes on with one, for some steps, and leaves it, waits,
fails or dies at one of its writes; or it answers, cancels, forks, deletes, prunes, or moves a run to another store.
While a process waits for its model, others do the same. `runs_model.py` knows what has to come of it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from agentgraph import Agent, ToolApproved, ToolDenied
from agentgraph.agent import AgentRun, RunOptions
from agentgraph.exceptions import (
    RunBusy,
    RunCancelled,
    RunFenced,
    RunNotFound,
    RunNotResumable,
    RunWaiting,
    UserError,
)
from agentgraph.graph import End, JournalKind, Status, Store
from agentgraph.stores import MemoryStore, SQLiteStore, export_run, import_run, prune
from agentgraph.stores.samples import HandClock
from tests.agent.interrupting import Interrupting, Killed
from tests.conformance.clerk import Share, Tripped, clerk, history_of, shares
from tests.conformance.runs_model import ENDED, LEASE, NEVER, Noting, Runs
from tests.stores.places import DatabasePlace, database_place

MOST = 5
"""Runs at once."""

who = st.integers(0, 1)


class Processes(RuleBasedStateMachine):
    """Two that share a file; `InMemory` has them share one store."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = HandClock()
        self.runs = Runs(self.clock, shared=self.shared)
        self.folder = Path(tempfile.mkdtemp())
        self.places = ExitStack()
        self.processes = 0
        self.opened: list[Store] = []
        self.stores = [self.open(), self.open()]
        self.histories: dict[tuple[str, int], list[str]] = {}
        """Of each run, before each of its steps."""
        self.made: Counter[str] = Counter()
        self.kept: set[str] = set()
        """The calls whose end was written."""
        self.names = 0
        self.starting = start_blocking_portal()
        self.portal: BlockingPortal = self.starting.__enter__()

    shared = False

    def open(self) -> Noting:
        store = SQLiteStore(self.folder / "r.db", lease=LEASE, clock=self.clock, synchronous="NORMAL")
        return self.noting(store)

    def noting(self, store: Store) -> Noting:
        self.opened.append(store)
        self.processes += 1
        return Noting(store, NEVER, "killed before", runs=self.runs, owner=self.processes)

    def teardown(self) -> None:
        for store in self.opened:
            self.portal.call(store.aclose)
        self.starting.__exit__(None, None, None)
        self.places.close()
        shutil.rmtree(self.folder)

    async def bury(self, owner: int) -> None:
        """A process is dead; the next one takes its place, and knows nothing of it but what is stored."""
        self.stores[owner] = self.open()

    def name(self, kind: str) -> str:
        self.names += 1
        return f"{kind}{self.names}"

    # ------------------------------------------------------------------------------------------- what a process does

    async def begin(self, owner: int, share: Share, conversation: str | None) -> None:
        run_id, newest = self.name("run"), None if conversation is None else self.runs.newest(conversation)
        options: RunOptions[None] = {"run_id": run_id, "conversation": conversation}
        if newest is None or newest[1].status in ENDED:
            await self.execute(owner, share, run_id, "Do it", options)
            return
        busy = self.runs.lives(newest[1], self.stores[owner].owner)
        with pytest.raises(RunBusy if busy else RunNotResumable):
            await self.execute(owner, share, run_id, "Do it", options)

    async def go_on(self, owner: int, share: Share, run_id: str) -> None:
        run = self.runs.known.get(run_id)
        if run is None:
            with pytest.raises(RunNotFound):
                await self.execute(owner, share, run_id, None, {"resume": run_id})
        elif self.runs.lives(run, self.stores[owner].owner):
            with pytest.raises(RunBusy):
                await self.execute(owner, share, run_id, None, {"resume": run_id})
        else:
            await self.execute(owner, share, run_id, None, {"resume": run_id})

    async def execute(
        self, owner: int, share: Share, run_id: str, prompt: str | None, options: RunOptions[None]
    ) -> None:
        dying = Interrupting(self.stores[owner], self.dies_at(share, run_id), share.accident)
        options["store"] = dying
        agent, ended, epoch = self.agent(owner, share, run_id), None, 0
        try:
            async with agent.iter(prompt, **options) as run:
                epoch = self.runs.known[run_id].epoch
                await self.take_steps(run, share.steps)
                ended = Status.SUCCEEDED if isinstance(run.next_node, End) else Status.PENDING
        except RunWaiting:
            ended = Status.WAITING
        except RunCancelled:
            ended = Status.CANCELLED
        except Tripped:
            ended = Status.FAILED
        except RunFenced:
            ended = None
            stands = self.runs.known.get(run_id)
            assert stands is None or (stands.epoch, stands.holder) != (epoch, self.stores[owner].owner)
        except (Killed, BaseExceptionGroup):  # with it may come what a tool has raised
            ended = None
            assert dying.interrupted
            await self.bury(owner)
            if run_id in self.runs.known:
                self.runs.known[run_id].lost += 1
        self.kept |= {key for key in self.made if key.startswith(f"{run_id}/") and dying.knows(key)}
        if ended is not None:
            becomes = {ended} if ended is Status.FAILED else {ended, Status.CANCELLED}
            assert self.runs.known[run_id].status in becomes

    def dies_at(self, share: Share, run_id: str) -> int:
        """A step may lose five processes before its run fails."""
        run = self.runs.known.get(run_id)
        return NEVER if run is not None and run.lost > 3 else share.dies_at

    async def take_steps(self, run: AgentRun[None, str], steps: int) -> None:
        self.remember(run)
        for _ in range(min(steps, 30)):
            if isinstance(run.next_node, End):
                break
            await run.next()
            self.remember(run)

    def remember(self, run: AgentRun[None, str]) -> None:
        """Its history is the one that it had here before, or goes on from that."""
        run_id, seq = run.run_id, self.runs.known[run.run_id].seq
        history = history_of(run.ctx.state.message_history)
        before = self.histories.get((run_id, seq - 1), [])
        assert history[: len(before)] == before
        assert self.histories.setdefault((run_id, seq), history) == history

    def agent(self, owner: int, share: Share, run_id: str) -> Agent[None, str]:
        return clerk(share, self.name, self.make, lambda act: self.meanwhile(act, owner, run_id))

    def make(self, key: str) -> None:
        assert key not in self.kept, "a call was made again that was known to be made"
        self.made[key] += 1

    async def meanwhile(self, act: str, owner: int, run_id: str) -> None:
        """What others do, while the process `owner` waits for the model of a run."""
        match act:
            case "time":
                self.clock.seconds += LEASE
            case "finish" | "step" | "die":
                others = {"finish": Share(), "step": Share(steps=1), "die": Share(dies_at=1)}
                await self.go_on(1 - owner, others[act], run_id)
            case "fork":
                await self.fork(1 - owner, run_id, 0)
            case "delete":
                await self.delete(1 - owner, run_id)
            case _:
                await self.cancel(1 - owner, run_id)

    async def fork(self, owner: int, run_id: str, back: int) -> None:
        run = self.runs.known.get(run_id)
        if run is None or len(self.runs.known) >= MOST:
            return
        at, made = max(0, run.seq - back), self.name("fork")
        assert await Agent[None, str](store=self.stores[owner]).fork(run_id, step=at, new_id=made) == made
        self.histories |= {
            (made, seq): told for (of, seq), told in self.histories.items() if of == run_id and seq <= at
        }
        rows = [row for row in run.journal.values() if row.seq == at and row.kind is JournalKind.DONE]
        assert {row.key for row in self.runs.known[made].journal.values()} >= {row.key for row in rows}
        self.kept |= {f"{made}/{at}/{row.key}" for row in rows}

    async def cancel(self, owner: int, run_id: str) -> None:
        if run_id not in self.runs.known:
            with pytest.raises(RunNotFound):
                await Agent[None, str](store=self.stores[owner]).cancel(run_id)
            return
        becomes = self.runs.cancel(self.stores[owner].owner, run_id)
        assert await Agent[None, str](store=self.stores[owner]).cancel(run_id) is becomes

    async def delete(self, owner: int, run_id: str) -> None:
        run, store = self.runs.known.get(run_id), self.stores[owner]
        if run is None:
            with pytest.raises(RunNotFound):
                await store.delete(run_id)
        elif self.runs.lives(run, store.owner) or self.runs.followers(run_id):
            with pytest.raises((RunBusy, UserError)):
                await store.delete(run_id)
        else:
            assert await store.delete(run_id) == [run_id]
            del self.runs.known[run_id]

    async def answer(self, owner: int, run_id: str, *, approve: bool) -> None:
        agent, store = self.agent(owner, Share(), run_id), self.stores[owner]
        asked = self.runs.known[run_id].open
        requests = await agent.requests(run_id, store=store)
        assert sorted(each.key for each in requests) == sorted(row.path for row in asked)
        for request, row in list(zip(requests, asked, strict=True))[:1]:
            await agent.answer(run_id, request.key, ToolApproved() if approve else ToolDenied(), store=store)
            self.runs.answer(run_id, row)
            with pytest.raises(UserError):
                await agent.answer(run_id, request.key, ToolApproved(), store=store)

    async def prune(self, owner: int) -> None:
        pruned = await prune(self.stores[owner], self.clock.now() + timedelta(seconds=1))
        for run_id in pruned.deleted:
            assert self.runs.known.pop(run_id).status is Status.SUCCEEDED
        for run_id, run in self.runs.known.items():
            assert run.new.origin is None or run.new.origin[0] in self.runs.known
            alone = run.new.conversation is None and not self.runs.followers(run_id)
            assert not (alone and run.status is Status.SUCCEEDED), "it could have gone"

    async def move(self, owner: int, run_id: str) -> None:
        """Elsewhere, it ends, and whatever it was there is what it was here."""
        elsewhere = MemoryStore(clock=self.clock)
        assert await import_run(elsewhere, await export_run(self.stores[owner], run_id)) == run_id
        here, there = await self.stores[owner].load(run_id), await elsewhere.load(run_id)
        assert there.status is (Status.PENDING if here.status is Status.RUNNING else here.status)
        assert await elsewhere.steps(run_id) == await self.stores[owner].steps(run_id)
        told = self.histories.get((run_id, here.seq), [])
        agent = self.agent(owner, Share(), run_id)
        before = Counter(self.made)
        with suppress(RunWaiting):
            ended = await agent.run(resume=run_id, store=elsewhere)
            assert history_of(ended.all_messages())[: len(told)] == told
        self.made = before

    # ---------------------------------------------------------------------------------------------------------- rules

    def call(self, do: Callable[..., Awaitable[None]], *args: object, **more: object) -> None:
        async def work() -> None:
            await do(*args, **more)

        self.portal.call(work)

    def draw(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.runs.known)))

    @rule(seconds=st.sampled_from([1.0, LEASE]))
    def time_passes(self, seconds: float) -> None:
        self.clock.seconds += seconds

    @precondition(lambda self: len(self.runs.known) < MOST)
    @rule(owner=who, share=shares, conversation=st.sampled_from([None, None, "c"]))
    def a_run_begins(self, owner: int, share: Share, conversation: str | None) -> None:
        self.clock.seconds += 1
        self.call(self.begin, owner, share, conversation)

    @precondition(lambda self: self.runs.known)
    @rule(owner=who, share=shares, data=st.data())
    def a_run_goes_on(self, owner: int, share: Share, data: st.DataObject) -> None:
        self.call(self.go_on, owner, share, self.draw(data))

    @precondition(lambda self: any(run.open for run in self.runs.known.values()))
    @rule(owner=who, approve=st.booleans(), data=st.data())
    def a_run_is_answered(self, owner: int, approve: bool, data: st.DataObject) -> None:  # noqa: FBT001 - hypothesis
        asking = sorted(run_id for run_id, run in self.runs.known.items() if run.open)
        self.call(self.answer, owner, data.draw(st.sampled_from(asking)), approve=approve)

    @precondition(lambda self: self.runs.known)
    @rule(owner=who, act=st.sampled_from(["cancel", "delete", "prune", "fork", "move", "unknown"]), data=st.data())
    def a_run_is_cared_for(self, owner: int, act: str, data: st.DataObject) -> None:
        run_id = self.draw(data)
        self.clock.seconds += 1
        match act:
            case "cancel":
                self.call(self.cancel, owner, run_id)
            case "delete":
                self.call(self.delete, owner, run_id)
            case "prune":
                self.call(self.prune, owner)
            case "fork":
                self.call(self.fork, owner, run_id, data.draw(st.integers(0, 4)))
            case "move":
                self.call(self.move, owner, run_id)
            case _:
                self.call(self.go_on, owner, Share(), "unknown")

    @invariant()
    def the_stores_hold_what_they_were_told(self) -> None:
        self.call(self.compare)

    async def compare(self) -> None:
        for store in self.stores[: 1 if self.shared else 2]:
            found = await store.list()
            assert {run.run_id for run in found} == set(self.runs.known)
            for run in found:
                self.runs.check(run, await store.steps(run.run_id), await store.calls(run.run_id))


class InMemory(Processes):
    """Both in one process: what kills one of them takes the runs of both."""

    shared = True

    def open(self) -> Noting:
        if not self.opened:
            self.opened.append(MemoryStore(clock=self.clock))
        return self.noting(self.opened[0])

    async def bury(self, owner: int) -> None:
        await self.opened[0].aclose()
        for run in self.runs.known.values():
            run.holder = None


class InDatabase(Processes):
    """Of one schema of a database."""

    place: DatabasePlace | None = None

    def open(self) -> Noting:
        self.place = self.place or self.places.enter_context(database_place(self.folder))
        return self.noting(self.place.open(self.clock, lease=LEASE))


@pytest.mark.parametrize(("machine", "examples"), [(InMemory, 40), (Processes, 16), (InDatabase, 4)])
def test_what_processes_do_amidst_each_other_leaves_the_runs_as_they_have_to_be(
    machine: type[Processes], examples: int
) -> None:
    how = settings(max_examples=examples, stateful_step_count=20, suppress_health_check=[HealthCheck.too_slow])
    run_state_machine_as_test(machine, settings=how)
