"""`Graph.step`: claim a stored run, take one step, release it; whoever takes the next one may be another process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import anyio
import pytest
from hypothesis import given, settings, strategies as st

from agentgraph.exceptions import RunBusy, RunNotFound, RunNotResumable, RunWaiting, UserError
from agentgraph.graph import (
    BaseNode,
    BranchRecord,
    End,
    Fork,
    Graph,
    GraphRunContext,
    Join,
    Question,
    RunEvent,
    Scheduler,
    Status,
    Store,
    fork,
)
from agentgraph.stores import MemoryStore
from agentgraph.stores.samples import HandClock
from tests.graph.programs import (
    Answer,
    BoomError,
    Machine,
    Outside,
    Program,
    Top,
    adding,
    answer_to,
    asking,
    expected,
    failing,
    forking,
    graph,
    programs,
)
from tests.graph.samples import ENTIRE, START, Add, Show, Tally, failing as failing_at, tally, told
from tests.graph.test_random_forks import Killed, Life, Mortal, Watch, answer_some, lives

pytestmark = pytest.mark.anyio
FOREVER = 10**9


async def begun(store: Store) -> None:
    async with tally.iter(Add(START), state=Tally(), store=store, run_id="r"):
        pass


async def started(program: Program, store: Store) -> None:
    async with graph.iter(Top(program), state=Machine(), deps=Outside(), store=store, run_id="r"):
        pass


class TestOneStep:
    async def test_is_taken_and_the_run_released(self, store: Store) -> None:
        await begun(store)
        events: list[RunEvent] = []
        assert isinstance(await tally.step("r", store=store, observers=[events.append]), Show)
        assert told(events) == ["run from 0", "0 Add", "0 -> Show", "run pending"]
        assert (await store.load("r")).status is Status.PENDING

    async def test_and_another_until_the_end(self, store: Store, elsewhere: Store) -> None:
        await begun(store)
        steps = [type(await tally.step("r", store=where)).__name__ for where in [store, elsewhere] * 3]
        assert steps == ["Show", "Add", "Show", "Add", "Show", "End"]
        record = await store.load("r")
        assert await tally.step("r", store=store) == End("again 3")
        assert await store.load("r") == record  # not claimed again
        assert (await tally.run(resume="r", store=store)).state.texts == ENTIRE

    async def test_that_fails_is_taken_again(self, store: Store) -> None:
        await begun(store)
        await tally.step("r", store=store)
        with pytest.raises(ValueError, match="no"):
            await tally.step("r", store=store, deps=failing_at(1, ValueError("no")))
        assert (await store.load("r")).status is Status.FAILED
        assert isinstance(await tally.step("r", store=store), Add)

    async def test_is_refused_where_the_run_cannot_be_had(self, store: Store) -> None:
        with pytest.raises(RunNotFound):
            await tally.step("r", store=store)
        async with tally.iter(Add(START), state=Tally(), store=store, run_id="r"):
            with pytest.raises(RunBusy):
                await tally.step("r", store=store)
        with pytest.raises(RunNotResumable, match="it is a run of graph 'tally', not of 'other'"):
            await Graph(nodes=[Add, Show], name="other").step("r", store=store)

    async def test_goes_by_the_clock_of_its_scheduler(self) -> None:
        @dataclass
        class Nap(BaseNode[None, None, str]):
            async def run(self, ctx: GraphRunContext) -> End[str]:
                await ctx.sleep(10**6)
                return End("awake")

        napping = Graph(nodes=[Nap], name="napping")
        clock = HandClock()
        store = MemoryStore(clock=clock)
        scheduler = Scheduler(store, clock=clock)
        async with napping.iter(Nap(), store=store, run_id="r"):
            pass
        for epoch in (2, 2):
            with pytest.raises(RunWaiting):
                await napping.step("r", scheduler=scheduler)
            assert (await store.load("r")).epoch == epoch
        clock.seconds += 10**6
        assert await napping.step("r", scheduler=scheduler) == End("awake")

    async def test_needs_a_store(self) -> None:
        with pytest.raises(UserError, match="run 'r' can only be stepped where it is kept"):
            await tally.step("r")
        with pytest.raises(UserError, match="leave `store` or `scheduler` out"):
            await tally.step("r", store=MemoryStore(), scheduler=Scheduler())


class GoingOn(MemoryStore):
    """Takes steps of the run right before its branches are read."""

    ahead = 0

    async def branches(self, run_id: str) -> list[BranchRecord]:
        ahead, self.ahead = self.ahead, 0
        for _ in range(ahead):
            await graph.step("r", store=self, deps=Outside())
        return await super().branches(run_id)


class TestInsideAFork:
    async def test_one_branch_takes_one_turn_the_one_that_has_taken_the_fewest(self, memory: MemoryStore) -> None:
        await started([forking([[adding(1), adding(2)], [adding(3)], []], None, "raise")], memory)
        outcomes = [await graph.step("r", store=memory, deps=Outside()) for _ in range(9)]
        assert [type(each).__name__ for each in outcomes] == ["Fork"] * 6 + ["TopGather", "Top", "End"]
        assert isinstance(outcomes[0], Fork)
        program: Program = [forking([[adding(1), adding(2)], [adding(3)], []], None, "raise")]
        assert outcomes[-1] == End(expected(program))
        taken = [(step.started_at, step.branch, step.seq) for step in await memory.steps("r") if step.branch]
        assert [(branch, seq) for _, branch, seq in sorted(taken)] == [
            ("0:0", 0),
            ("0:1", 0),
            ("0:2", 0),
            ("0:0", 1),
            ("0:1", 1),
            ("0:0", 2),
        ]

    async def test_a_branch_that_asks_is_passed_over_until_it_is_answered(self, memory: MemoryStore) -> None:
        program: Program = [forking([[asking("7")], [adding(3)]], 1, "raise")]
        await started(program, memory)
        outside = Outside()
        for _ in range(3):  # the fork, and the other branch
            await graph.step("r", store=memory, deps=outside)
            assert (await memory.load("r")).status is Status.PENDING
        for _ in range(2):
            with pytest.raises(RunWaiting) as caught:
                await graph.step("r", store=memory, deps=outside)
            assert [question.key for question in caught.value.questions if isinstance(question, Question)] == [
                "0:0/0/7"
            ]
        assert (await memory.load("r")).epoch == 5  # a run that sleeps is not claimed
        assert outside.most == 1
        await memory.answer("r", "7", answer_to("7"))
        while not isinstance(outcome := await graph.step("r", store=memory, deps=outside), End):
            pass
        assert outcome == End(expected(program))

    async def test_a_question_can_be_answered_while_other_branches_go_on(self, memory: MemoryStore) -> None:
        program: Program = [forking([[asking("7")], [adding(3), adding(4), adding(5)]], None, "raise")]
        await started(program, memory)
        for _ in range(2):
            await graph.step("r", store=memory, deps=Outside())
        await memory.answer("r", "7", answer_to("7"))
        result = await graph.run(resume="r", store=memory, deps=Outside())
        assert result.output == expected(program)

    async def test_a_branch_that_sleeps_is_passed_over_until_its_time(self, memory: MemoryStore) -> None:
        naps: list[str] = []

        @dataclass
        class Begin(BaseNode[None, None, int]):
            async def run(self, ctx: GraphRunContext) -> Fork[Nap, Wake]:
                return Fork([Nap(10**6, 2), Nap(0, 2)], join=Wake)

        @dataclass
        class Nap(BaseNode):
            seconds: float
            left: int

            async def run(self, ctx: GraphRunContext) -> Nap | Join[int]:
                naps.append(ctx.branch)
                await ctx.sleep(self.seconds, key="nap")
                return Nap(self.seconds, self.left - 1) if self.left else Join(1)

        @dataclass
        class Wake(BaseNode[None, None, int]):
            values: list[int]

            async def run(self, ctx: GraphRunContext) -> End[int]:
                return End(len(self.values))

        napping = Graph(nodes=(Begin, Nap, Wake), name="napping")
        async with napping.iter(Begin(), store=memory, run_id="r"):
            pass
        for _ in range(4):
            await napping.step("r", store=memory)
        assert naps == ["0:0", "0:1", "0:1", "0:1"]  # the first has begun to sleep, the other has joined
        for _ in range(2):
            with pytest.raises(RunWaiting) as caught:
                await napping.step("r", store=memory)
            record = await memory.load("r")
            assert (record.status, record.epoch, len(naps)) == (Status.WAITING, 6, 4)
            assert caught.value.wake_at is not None
            assert record.wake_at == pytest.approx(caught.value.wake_at.timestamp())

    @pytest.mark.parametrize("ahead", [1, 4])
    async def test_a_run_that_goes_on_while_it_is_forked_off_is_forked_off_where_it_was_seen(self, ahead: int) -> None:
        program: Program = [forking([[], []], None, "raise"), forking([[], []], None, "raise")]
        store = GoingOn()
        await started(program, store)
        for run_id in ("f0", "f1", "f2"):
            store.ahead = ahead
            made = await fork(store, await store.load("r"), run_id)
            assert all(each.branch.startswith(f"{made.seq - 1}:") for each in await store.branches(run_id))
            result = await graph.run(resume=run_id, store=store, deps=Outside())
            assert result.output == expected(program)

    @pytest.mark.parametrize("ahead", [1, 3, 5])
    async def test_a_run_that_goes_on_while_it_is_looked_at_can_be_resumed(self, ahead: int) -> None:
        program: Program = [forking([[], []], None, "raise"), forking([[], []], None, "raise"), adding(1)]
        for before in range(6):
            store = GoingOn()
            await started(program, store)
            for _ in range(before):
                await graph.step("r", store=store, deps=Outside())
            store.ahead = ahead
            assert await graph.can_resume("r", store=store) == []

    async def test_branches_that_were_given_up_go_on_in_a_run_forked_off_where_they_stood(
        self, memory: MemoryStore
    ) -> None:
        inner: Program = [adding(2), forking([[adding(3)], [adding(4), adding(5)]], None, "raise"), adding(6)]
        program: Program = [forking([[adding(1)], inner], None, "raise"), adding(7)]
        await started(program, memory)
        for step in range(1, 13):
            await graph.step("r", store=memory, deps=Outside())
            await fork(memory, await memory.load("r"), f"given up {step}")
            async with graph.iter(resume=f"given up {step}", deps=Outside(), store=memory) as run:
                assert run.ctx.seq == 1  # at the fork
                await run.next(Top([]))
            await fork(memory, await memory.load(f"given up {step}"), f"r{step}", 1)
            assert await memory.branches(f"r{step}") == await memory.branches("r")
            result = await graph.run(resume=f"r{step}", deps=Outside(), store=memory)
            assert result.output == expected(program)

    async def test_a_failure_fails_the_run_and_the_branch_is_tried_again(self, memory: MemoryStore) -> None:
        program: Program = [forking([[failing("1")], [adding(3)]], None, "raise")]
        await started(program, memory)
        outside = Outside()
        await graph.step("r", store=memory, deps=outside)
        with pytest.raises(BoomError):
            await graph.step("r", store=memory, deps=outside)
        assert [step.branch for step in await memory.steps("r") if step.branch] == []
        while not isinstance(outcome := await graph.step("r", store=memory, deps=outside), End):
            pass
        assert outcome == End(expected(program))


async def stepped(program: Program, waiting: Sequence[Life], seed: int) -> tuple[Answer, list[tuple[str, int]]]:
    """A run of which every step is taken by another process, some of which die."""
    random, outside, queue = Random(seed), Outside(), [*waiting]
    store = Mortal(Life(FOREVER, after=False))
    await started(program, store)
    watch = Watch(store)
    while True:
        await store.reborn(queue.pop() if queue else Life(FOREVER, after=False))
        before = len(store.committed)
        try:
            outcome = await graph.step("r", store=store, deps=outside, observers=[watch])
        except (Killed, BaseExceptionGroup, BoomError):
            continue
        except RunWaiting:
            assert len(store.committed) == before
            store.life = Life(FOREVER, after=False)
            await answer_some(store, random)
            continue
        if isinstance(outcome, End):
            return outcome.data, watch.again
        assert len(store.committed) == before + 1


@settings(max_examples=100)
@given(programs, lives, st.integers(0, 1000))
def test_a_program_ends_as_if_stepped_in_one_go(program: Program, lives: list[Life], seed: int) -> None:
    async def check() -> None:
        answer, again = await stepped(program, lives, seed)
        assert answer == expected(program)
        assert again == []

    anyio.run(check)
