"""`break_before`: a run stops before a node takes its turn, is released, and goes past when it is resumed."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from agentgraph.exceptions import RunPaused, UserError
from agentgraph.graph import (
    BaseNode,
    End,
    Fork,
    Graph,
    GraphRunContext,
    Join,
    JournalRecord,
    Status,
    Store,
    open_questions,
)
from agentgraph.stores import MemoryStore
from tests.graph.mortal import Killed, Mortal
from tests.graph.samples import ENTIRE, START, Add, Show, Tally, tally

pytestmark = pytest.mark.anyio


class TestRun:
    async def test_stops_and_is_released_with_the_node_pending(self, store: Store) -> None:
        with pytest.raises(RunPaused, match="run 'r' stopped before Show, as `break_before` says") as caught:
            await tally.run(Add(START), state=Tally(), store=store, run_id="r", break_before=[Show])
        assert [*caught.value.nodes] == [""]
        assert isinstance(caught.value.nodes[""], Show)
        record = await store.load("r")
        assert (record.status, record.seq, record.pending, record.owner) == (Status.PENDING, 1, "Show", None)

    async def test_goes_past_when_it_is_resumed_and_stops_at_the_next(self, store: Store, elsewhere: Store) -> None:
        stops: list[int] = []
        with pytest.raises(RunPaused):
            await tally.run(Add(START), state=Tally(), store=store, run_id="r", break_before=[Show])
        for where in (elsewhere, store):
            stops.append((await where.load("r")).seq)
            with pytest.raises(RunPaused):
                await tally.run(resume="r", store=where, break_before=[Show])
        stops.append((await store.load("r")).seq)
        result = await tally.run(resume="r", store=store, break_before=[Show])
        assert (stops, result.state.texts) == ([1, 3, 5], ENTIRE)

    async def test_stops_before_its_first_node(self, store: Store) -> None:
        with pytest.raises(RunPaused):
            await tally.run(Add(START), state=Tally(), store=store, run_id="r", break_before=[Add])
        assert (await store.load("r")).seq == 0
        assert (await tally.run(resume="r", store=store)).output == "again 3"

    async def test_a_process_that_dies_on_its_way_there_is_no_way_around(self) -> None:
        class Dying(Mortal):
            dies = True

            async def journal(self, run_id: str, epoch: int, record: JournalRecord) -> None:
                if self.dies:
                    self.die()
                await super().journal(run_id, epoch, record)

        store = Dying()
        with pytest.raises(Killed):
            await tally.run(Add(START), state=Tally(), store=store, run_id="r", break_before=[Show])
        store.dies = False
        await store.bury()
        with pytest.raises(RunPaused):
            await tally.run(resume="r", store=store, break_before=[Show])
        assert (await store.load("r")).seq == 1

    async def test_needs_nodes_of_the_graph_and_a_store(self) -> None:
        with pytest.raises(UserError, match="needs a store to be found in"):
            await tally.run(Add(START), state=Tally(), break_before=[Show])
        with pytest.raises(UserError, match="`break_before` names Fork, not in graph 'tally': it has Add, Show"):
            await tally.run(Add(START), state=Tally(), store=MemoryStore(), break_before=[Fork])


class TestIteration:
    async def test_ends_with_the_node_and_can_go_on(self, store: Store) -> None:
        async with tally.iter(Add(START), state=Tally(), store=store, run_id="r", break_before=[Show]) as run:
            assert [type(node).__name__ async for node in run] == ["Add", "Show"]
            assert run.paused is not None
            assert run.result is None
            assert [type(node).__name__ async for node in run] == ["Add", "Show"]  # past it, to the next one
            assert isinstance(await run.next(), Add)  # `next` takes the step whatever it is
            assert [type(node).__name__ async for node in run] == ["Show"]
            assert isinstance(await run.next(), End)
            assert [node async for node in run] == []
        assert (await store.load("r")).status is Status.SUCCEEDED

    async def test_is_released_when_its_block_is_left_there(self, store: Store) -> None:
        async with tally.iter(Add(START), state=Tally(), store=store, run_id="r", break_before=[Show]) as run:
            async for _ in run:
                pass
        assert (await store.load("r")).status is Status.PENDING
        async with tally.iter(resume="r", store=store, break_before=[Show]) as run:
            assert [type(node).__name__ async for node in run] == ["Show", "Add", "Show"]


@dataclass
class Split(BaseNode[None, None, list[str]]):
    async def run(self, ctx: GraphRunContext) -> Fork[Ask | Look, Gathered]:
        return Fork([Ask(), Look("a"), Look("b")], join=Gathered)


@dataclass
class Ask(BaseNode):
    async def run(self, ctx: GraphRunContext) -> Join[str]:
        return Join(await ctx.wait_for("name", type=str))


@dataclass
class Look(BaseNode):
    name: str

    async def run(self, ctx: GraphRunContext) -> Take:
        return Take(self.name)


@dataclass
class Take(BaseNode):
    name: str

    async def run(self, ctx: GraphRunContext) -> Join[str]:
        return Join(self.name)


@dataclass
class Gathered(BaseNode[None, None, list[str]]):
    values: list[str]

    async def run(self, ctx: GraphRunContext) -> End[list[str]]:
        return End(self.values)


splitting = Graph(nodes=(Split, Ask, Look, Take, Gathered), name="splitting")


class TestBranches:
    async def test_the_run_stops_when_all_stand_still(self, store: Store, elsewhere: Store) -> None:
        with pytest.raises(RunPaused, match="before Take of branch 0:1, Take of branch 0:2") as caught:
            await splitting.run(Split(), store=store, run_id="r", break_before=[Take])
        assert caught.value.nodes == {"0:1": Take("a"), "0:2": Take("b")}
        assert (await store.load("r")).status is Status.PENDING
        assert [question.key for question in open_questions(await store.calls("r"))] == ["0:0/0/name"]
        await elsewhere.answer("r", "name", "c")
        with pytest.raises(RunPaused, match="before Gathered, as"):
            await splitting.run(resume="r", store=elsewhere, break_before=[Take, Gathered])
        assert (await splitting.run(resume="r", store=store)).output == ["c", "a", "b"]

    async def test_an_iteration_ends_there_and_the_run_is_released(self, store: Store) -> None:
        async with splitting.iter(Split(), store=store, run_id="r", break_before=[Look]) as run:
            assert [type(node).__name__ async for node in run] == ["Split", "Fork"]
            assert run.paused is not None
            assert (await store.load("r")).status is Status.PENDING


async def test_that_another_run_stopped_is_an_error_like_any_other() -> None:
    @dataclass
    class Outer(BaseNode[None, None, int]):
        async def run(self, ctx: GraphRunContext) -> End[int]:
            await tally.run(Add(START), state=Tally(), store=ctx.store, run_id="inner", break_before=[Show])
            return End(1)

    store = MemoryStore()
    with pytest.raises(RunPaused):
        await Graph(nodes=[Outer]).run(Outer(), store=store, run_id="outer")
    assert (await store.load("outer")).status is Status.FAILED
    async with Graph(nodes=[Outer]).iter(Outer(), store=MemoryStore()) as run:
        with pytest.raises(RunPaused):
            [node async for node in run]
        assert run.paused is None
    async with Graph(nodes=[Outer]).iter(Outer(), store=MemoryStore(), break_before=[Outer]) as run:
        assert [node async for node in run] == [Outer()]
        with pytest.raises(RunPaused, match="'inner'"):
            [node async for node in run]
        assert run.paused is None
