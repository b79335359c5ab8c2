"""Runs that older code has written go on with the code of today, or say all that is in the way."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import pytest

from agentgraph.exceptions import DecodeError, GraphSetupError, RunNotFound, RunNotResumable
from agentgraph.graph import Appended, BaseNode, End, Graph, GraphRunContext, Problem, Upgrade, Upgrades, fork
from agentgraph.graph.store import RunRecord, StepRecord, Store, StoredRun
from agentgraph.stores import MemoryStore
from tests.graph.samples import START, Add, Tally, tally

pytestmark = pytest.mark.anyio


@dataclass
class Parcel:
    name: str


@dataclass
class Load:
    """The state as it was."""

    kilos: int = 0
    gone: str = "x"
    log: Annotated[list[Parcel], Appended] = field(default_factory=list[Parcel])


@dataclass
class Wrap(BaseNode[Load, None, str]):
    parcel: Parcel
    kilos: int

    async def run(self, ctx: GraphRunContext[Load, None]) -> Wrap | End[str]:
        ctx.state.kilos += self.kilos
        ctx.state.log.append(self.parcel)
        return Wrap(self.parcel, self.kilos)


old = Graph(nodes=[Wrap], name="parcels")


@dataclass
class Cargo:
    """The state as it is."""

    grams: int = 0
    added: int = 7
    log: Annotated[list[Parcel], Appended] = field(default_factory=list[Parcel])


@dataclass
class Pack(BaseNode[Cargo, None, str]):
    parcel: Parcel
    grams: int
    fragile: bool = False

    async def run(self, ctx: GraphRunContext[Cargo, None]) -> Pack | End[str]:
        ctx.state.grams += self.grams
        ctx.state.log.append(self.parcel)
        return Pack(self.parcel, self.grams) if ctx.state.grams < 10_000 else End(self.parcel.name)


def in_grams(fields: dict[str, Any]) -> dict[str, Any]:
    if "grams" not in fields:
        fields["grams"] = fields.pop("kilos") * 1000
    return fields


new = Graph(nodes=[Pack], name="parcels", upgrades=Upgrades(nodes={"Wrap": Upgrade("Pack", in_grams)}, state=in_grams))


async def begun() -> MemoryStore:
    """A store with a run that the old code has taken two steps."""
    store = MemoryStore()
    async with old.iter(Wrap(Parcel("book"), 2), state=Load(), store=store, run_id="r") as run:
        await run.next()
        await run.next()
    return store


async def test_a_run_goes_on_with_other_nodes_and_fields() -> None:
    store = await begun()
    assert await new.can_resume("r", store=store) == []
    async with new.iter(resume="r", store=store) as run:
        assert run.state == Cargo(4000, 7, [Parcel("book")] * 2)
        assert run.next_node == Pack(Parcel("book"), 2000)
        assert isinstance(run.next_node, Pack)
        assert run.next_node.parcel is run.state.log[-1]  # as when it was stored
        await run.next()
    assert (await store.load("r")).pending == "Pack"
    done = await new.run(resume="r", store=store)
    assert (done.output, done.state) == ("book", Cargo(10_000, 7, [Parcel("book")] * 5))


async def test_a_step_of_upgraded_code_writes_only_what_is_new() -> None:
    store = await begun()
    async with new.iter(resume="r", store=store) as run:
        await run.next()
    step = (await store.steps("r"))[-1]
    assert b"book" not in step.body
    assert step.state == b'{"grams":6000,"added":7}'


async def test_a_fork_of_upgraded_and_older_steps_is_read_right() -> None:
    store = await begun()
    async with new.iter(resume="r", store=store) as run:
        await run.next()
    for step, grams in {1: 2000, 2: 4000, 3: 6000}.items():
        await fork(store, await store.load("r"), f"f{step}", step)
        async with new.iter(resume=f"f{step}", store=store) as run:
            assert run.state == Cargo(grams, 7, [Parcel("book")] * step)


async def test_a_node_that_was_renamed_twice() -> None:
    chain = Upgrades(nodes={"Wrap": Upgrade("Box", in_grams), "Box": Upgrade("Pack")}, state=in_grams)
    graph = Graph(nodes=[Pack], name="parcels", upgrades=chain)
    async with graph.iter(resume="r", store=await begun()) as run:
        assert run.next_node == Pack(Parcel("book"), 2000)


@dataclass
class Items:
    """The state with other items in its list."""

    log: Annotated[list[str], Appended] = field(default_factory=list[str])


@dataclass
class Note(BaseNode[Items, None, str]):
    parcel: str
    kilos: int

    async def run(self, ctx: GraphRunContext[Items, None]) -> Note | End[str]:
        ctx.state.log.append(self.parcel)
        return Note(self.parcel, self.kilos) if len(ctx.state.log) < 5 else End(" ".join(ctx.state.log))


def plain_items(fields: dict[str, Any]) -> dict[str, Any]:
    names = [item if isinstance(item, str) else item["name"] for item in fields["log"]]
    return {**fields, "log": names}


def plain_parcel(fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, "parcel": fields["parcel"]["name"]}


async def test_a_list_whose_items_were_changed_is_stored_anew_once() -> None:
    upgrades = Upgrades(nodes={"Wrap": Upgrade("Note", plain_parcel)}, state=plain_items)
    graph = Graph(nodes=[Note], name="parcels", upgrades=upgrades)
    store = await begun()
    async with graph.iter(resume="r", store=store) as run:
        assert (run.state, run.next_node) == (Items(["book", "book"]), Note("book", 2))
        await run.next()
        await run.next()
    rewritten, after = [step.body for step in (await store.steps("r"))[-2:]]
    assert (rewritten.count(b'\n"book"'), after.count(b'\n"book"')) == (4, 2)  # a node's field besides
    assert (await graph.run(resume="r", store=store)).output == "book book book book book"


async def test_a_run_of_today_is_left_alone_by_its_upgrades() -> None:
    store = MemoryStore()
    async with new.iter(Pack(Parcel("cup"), 300), state=Cargo(), store=store, run_id="r") as run:
        await run.next()
    async with new.iter(resume="r", store=store) as run:
        assert (run.state.grams, run.next_node) == (300, Pack(Parcel("cup"), 300))


def broken(fields: dict[str, Any]) -> dict[str, Any]:
    raise KeyError("weight")


async def test_an_upgrade_that_fails_names_run_step_and_what_it_was_for() -> None:
    store = await begun()
    upgrades = Upgrades(nodes={"Wrap": Upgrade("Pack", broken)}, state=broken)
    graph = Graph(nodes=[Pack], name="parcels", upgrades=upgrades)
    failed = "its upgrade failed: KeyError: 'weight'"
    with pytest.raises(DecodeError, match=f"run 'r', step 1: Cargo cannot be decoded: {failed}"):
        await graph.run(resume="r", store=store)
    assert await graph.can_resume("r", store=store) == [
        Problem(failed, "Cargo", 1),
        Problem(failed, "Wrap", 1),
        Problem("it goes on at Wrap, which is not in the graph; there are Pack"),
    ]


def test_upgrades_that_lead_nowhere_are_refused() -> None:
    upgrades = Upgrades(nodes={"Wrap": Upgrade("Box"), "Old": Upgrade("Older"), "Older": Upgrade("Old")})
    with pytest.raises(GraphSetupError) as caught:
        Graph(nodes=[Pack], name="parcels", upgrades=upgrades)
    assert caught.value.problems == (
        "the upgrade of Wrap leads to Box, which is no node",
        "the upgrade of Old leads to Old, which is no node",
        "the upgrade of Older leads to Older, which is no node",
    )


async def tallied() -> MemoryStore:
    store = MemoryStore()
    async with tally.iter(Add(START), state=Tally(), store=store, run_id="r") as run:
        await run.next()
    return store


async def spoilt(store: Store, **changes: bytes) -> MemoryStore:
    """The same run with other bytes in it."""
    run, (opening, step) = await store.load("r"), await store.steps("r")
    body = step.body.replace(b'"go 1"', changes.get("text", b'"go 1"'))
    other = MemoryStore()
    spoilt_run = replace(run, state=changes.get("state", run.state))
    await other.insert([StoredRun(run=spoilt_run, steps=[opening, replace(step, body=body)])])
    return other


async def test_everything_that_does_not_decode_is_told_at_once() -> None:
    store = await spoilt(await tallied(), text=b"1", state=b'{"count":"many"}')
    problems = await tally.can_resume("r", store=store)
    assert [(problem.field, problem.step) for problem in problems] == [
        ("Tally.log", 0),
        ("Tally.count", 0),
        ("Show.reply", 0),
    ]
    assert str(problems[2]) == "step 0: Show.reply: text: Input should be a valid string"


async def test_a_body_or_a_state_that_is_none_is_told() -> None:
    store = await tallied()
    assert [p.field for p in await tally.can_resume("r", store=await spoilt(store, state=b"{"))] == ["the state"]
    run, rows = await store.load("r"), await store.steps("r")
    (problem,) = tally.codec.problems("r", [rows[0], replace(rows[1], body=b"?")], run.state)
    assert (problem.field, problem.step) == ("the body", 0)


async def test_a_run_that_fits_has_no_problem_wherever_it_stands() -> None:
    store = await tallied()
    assert await tally.can_resume("r", store=store) == []
    await tally.run(resume="r", store=store)
    assert await tally.can_resume("r", store=store) == []


async def test_another_graph_and_a_lost_origin_are_told() -> None:
    store = await tallied()
    assert await old.can_resume("r", store=store) == [Problem("it is a run of graph 'tally', not of 'parcels'")]
    await fork(store, await store.load("r"), "f")

    class Torn(MemoryStore):
        async def load(self, run_id: str) -> RunRecord:
            if run_id == "r":
                raise RunNotFound(run_id)
            return await store.load(run_id)

    (problem,) = await tally.can_resume("f", store=Torn())
    assert "there is no run 'r'" in str(problem)
    with pytest.raises(RunNotFound):
        await tally.can_resume("r", store=Torn())


async def test_rows_that_cannot_be_read_are_told() -> None:
    class Torn(MemoryStore):
        async def steps(self, run_id: str, after: int = -2) -> list[StepRecord]:
            raise DecodeError(run_id, 1, "the body", "a blob is missing")

    store = Torn()
    async with tally.iter(Add(START), state=Tally(), store=store, run_id="r"):
        pass
    (problem,) = await tally.can_resume("r", store=store)
    assert (problem.step, problem.field) == (1, "the body")


async def test_a_node_without_what_it_needs_is_told_beside_the_rest() -> None:
    graph = Graph(nodes=[Pack], name="parcels", upgrades=Upgrades(nodes={"Wrap": Upgrade("Pack")}))
    store = await begun()
    (problem,) = await graph.can_resume("r", store=store)
    assert "Pack cannot be made of the stored parcel: " in problem.what
    with pytest.raises(RunNotResumable, match="Pack cannot be made"):
        await graph.run(resume="r", store=store)
