"""However the branches of a program run, are killed, answered and resumed: it ends as if one did it all in a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import anyio
from hypothesis import given, settings, strategies as st

from agentgraph.exceptions import RunWaiting
from agentgraph.graph import (
    Commit,
    Graph,
    JournalRecord,
    RetryPolicy,
    RunEvent,
    Scheduler,
    Settlement,
    Status,
    StepStarted,
    Store,
    open_questions,
)
from agentgraph.graph.policies import Policy
from agentgraph.stores import MemoryStore
from agentgraph.stores.samples import HandClock
from tests.graph.programs import (
    Answer,
    BoomError,
    FlakyError,
    Gather,
    Go,
    Machine,
    Outside,
    Program,
    Top,
    TopGather,
    answer_to,
    expected,
    graph,
    programs,
    restless,
)


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Life:
    """One process: dies before or after a write, and writes nothing then."""

    at: int
    after: bool
    writes: int = 0


class Mortal(MemoryStore):
    """Outlives its processes."""

    def __init__(self, life: Life) -> None:
        super().__init__()
        self.life = life
        self.committed: set[tuple[str, int]] = set()

    async def reborn(self, life: Life) -> None:
        self.life = life
        await self.aclose()

    async def commit(self, commit: Commit) -> Status:
        self._before()
        status = await super().commit(commit)
        self.committed.add((commit.step.branch, commit.step.seq))
        self._after()
        return status

    async def journal(self, run_id: str, epoch: int, record: JournalRecord) -> None:
        self._before()
        await super().journal(run_id, epoch, record)
        self._after()

    async def settle(self, settlement: Settlement) -> Status:
        self._before()
        status = await super().settle(settlement)
        self._after()
        return status

    def _before(self) -> None:
        self.life.writes += 1
        if self.life.writes > self.life.at or (self.life.writes == self.life.at and not self.life.after):
            raise Killed

    def _after(self) -> None:
        if self.life.writes == self.life.at:
            raise Killed


@dataclass
class Watch:
    """Sees that no step is taken again that was committed."""

    store: Mortal
    again: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])

    def __call__(self, event: RunEvent) -> None:
        if isinstance(event, StepStarted) and (event.branch, event.seq) in self.store.committed:
            self.again.append((event.branch, event.seq))


async def answer_some(store: Store, random: Random) -> None:
    questions = open_questions(await store.calls("r"))
    for question in random.sample(questions, random.randint(1, len(questions)) if questions else 0):
        await store.answer("r", question.key, answer_to(question.key.rpartition("/")[2]))


async def played(
    program: Program, lives: Sequence[Life], seed: int, graph: Graph[Machine, Outside, Any] = graph
) -> tuple[Answer, list[tuple[str, int]]]:
    random, outside, clock = Random(seed), Outside(), HandClock()
    store = Mortal(Life(10**9, after=False))
    watch = Watch(store)
    scheduler = Scheduler(store, clock, [watch])
    waiting, begun = [*lives], False
    while True:
        await store.reborn(waiting.pop() if waiting else Life(10**9, after=False))
        try:
            if begun:
                done = await graph.run(resume="r", deps=outside, scheduler=scheduler)
            else:
                begun = True
                done = await graph.run(Top(program), state=Machine(), deps=outside, scheduler=scheduler, run_id="r")
        except (Killed, BaseExceptionGroup, BoomError):
            continue
        except RunWaiting:
            store.life = Life(10**9, after=False)
            await answer_some(store, random)
            clock.seconds += random.choice([0, 5, 30, 90])
            continue
        return done.output, watch.again


lives = st.lists(st.builds(Life, st.integers(1, 20), st.booleans()), max_size=3)


@settings(max_examples=150)
@given(programs, lives, st.integers(0, 1000))
def test_a_program_ends_as_if_done_in_a_row(program: Program, lives: list[Life], seed: int) -> None:
    async def check() -> None:
        answer, again = await played(program, lives, seed)
        assert answer == expected(program)
        assert again == []

    anyio.run(check)


patient: Graph[Machine, Outside, Any] = Graph(nodes=(Top, TopGather, Go, Gather), name="programs", run_end_type=Answer)
patient.policies = {
    node: Policy(RetryPolicy(attempts=3, on=FlakyError, jitter=False), None, None) for node in ("Top", "Go")
}


@settings(max_examples=100)
@given(restless, lives, st.integers(0, 1000))
def test_so_does_one_that_sleeps_and_tries_again(program: Program, lives: list[Life], seed: int) -> None:
    async def check() -> None:
        answer, again = await played(program, lives, seed, patient)
        assert answer == expected(program)
        assert again == []

    anyio.run(check)
