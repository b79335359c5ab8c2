"""Big values: cut out, stored once, and there for as long as a run needs them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import pytest
from hypothesis import given, settings, strategies as st

from agentgraph import Agent, AgentRunResult, BinaryContent, RunContext
from agentgraph.exceptions import DecodeError, RunFenced, RunNotFound, UserError
from agentgraph.graph.lifecycle import Event, Status
from agentgraph.graph.store import Store
from agentgraph.messages import UserPromptPart
from agentgraph.models.test import TestModel
from agentgraph.stores import MemoryStore, SQLiteStore, export_run, import_run
from agentgraph.stores.blobs import LIMIT, cut, join
from agentgraph.stores.pieces import pack
from agentgraph.stores.samples import call, commit, new_run, settlement
from agentgraph.stores.sqlite_schema import FORMAT
from tests.stores.places import DatabasePlace, FilePlace, database_place

pytestmark = pytest.mark.anyio

IMAGE = BinaryContent(b"\x89PNG" + b"\xfe" * LIMIT, "image/png")
BIG = [b'"%b"' % (letter * LIMIT) for letter in (b"x", b"y", b"z")]

Count = Callable[[], int]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def counted(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Store, Count]]:
    """A store, and how many big values it holds."""
    with ExitStack() as stack:
        made: Store
        if request.param == "memory":
            memory = MemoryStore()
            made, count = memory, memory.blobs.__len__
        elif request.param == "sqlite":
            made, count = SQLiteStore(tmp_path / "r.db"), partial(in_file, tmp_path / "r.db")
        else:
            place = stack.enter_context(database_place(tmp_path))
            made, count = place.open(), partial(in_database, place)
        yield made, count
        await made.aclose()


def in_file(path: Path, table: str = "blobs") -> int:
    with closing(sqlite3.connect(path)) as connection:
        found: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - a table of ours
        return found


def in_database(place: DatabasePlace) -> int:
    with place.connect() as connection:
        ((found,),) = connection.execute("SELECT count(*) FROM blobs")
        return int(str(found))


def images(done: AgentRunResult[str]) -> list[object]:
    """What the prompts of a run show."""
    parts = [part for message in done.all_messages() for part in message.parts]
    return [
        item
        for part in parts
        if isinstance(part, UserPromptPart) and not isinstance(part.content, str)
        for item in part.content
        if isinstance(item, BinaryContent)
    ]


def stretched(text: str, length: int) -> str:
    return text * (length // len(text))


big_text = st.builds(stretched, st.text(min_size=1), st.integers(0, 3 * LIMIT))
texts = st.text() | big_text


def nested(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=3)


leaves: st.SearchStrategy[object] = st.none() | st.integers() | texts
values = st.recursive(leaves, nested, max_leaves=8)


@given(values)
@settings(max_examples=60, deadline=None)
def test_what_is_cut_can_be_joined(value: object) -> None:
    data = json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace")
    rest, blobs = cut(data)
    assert join(rest, blobs) == data
    assert all(len(blob) > LIMIT and blob in data for blob in blobs.values())


@pytest.mark.parametrize("data", [b"", b"@", b'@[[0,"x"]]\n', b"\0no pieces" + b"x" * LIMIT, b"\0[1]\n" + b"x" * LIMIT])
def test_what_only_looks_cut_comes_back(data: bytes) -> None:
    assert join(*cut(data)) == data


def test_sealed_bytes_are_cut_between_their_pieces() -> None:
    pieces = [b'"' * 9, b"\0" * (LIMIT + 1), b"small", b"@" * (LIMIT + 1)]
    rest, blobs = cut(pack(pieces))
    assert set(blobs.values()) == {pieces[1], pieces[3]}
    assert join(rest, blobs) == pack(pieces)


def test_many_small_strings_are_left_alone() -> None:
    data = json.dumps(["word"] * LIMIT).encode()
    assert cut(data) == (data, {})


async def test_the_same_image_in_many_turns_and_runs_is_stored_once(counted: tuple[Store, Count]) -> None:
    store, count = counted
    agent = Agent(TestModel(custom_result_text="seen"), store=store)
    for turn in range(5):
        done = await agent.run([f"Look {turn}", IMAGE], conversation="c")
        assert done.data == "seen"
    await agent.run(["Look", IMAGE], run_id="other")
    assert count() == 1
    last = (await store.list())[1]
    again = await agent.run("Once more", conversation="c")
    assert len(images(again)) == 5
    assert last.conversation == "c"


async def test_what_a_tool_returns_is_in_the_journal_and_the_step_once(counted: tuple[Store, Count]) -> None:
    store, count = counted
    agent = Agent(TestModel(custom_result_text="read"), store=store)
    counts: list[int] = []

    @agent.tool
    async def document(ctx: RunContext[None]) -> str:
        return "page " * LIMIT

    @agent.tool
    async def other(ctx: RunContext[None]) -> str:
        while not await store.calls("r"):
            await anyio.lowlevel.checkpoint()
        counts.append(count())
        return "small"

    await agent.run("Read", run_id="r")
    assert (counts, count()) == ([1], 1)


async def test_a_refused_write_leaves_no_big_value(counted: tuple[Store, Count]) -> None:
    store, count = counted
    run = await store.create(new_run())
    late = commit("r", run.epoch - 1, 0)
    with pytest.raises(RunFenced):
        await store.commit(replace(late, step=replace(late.step, body=BIG[0])))
    with pytest.raises(RunFenced):
        await store.journal("r", run.epoch - 1, call(0, value=BIG[1]))
    with pytest.raises(RunFenced):
        await store.settle(replace(settlement(run, Event.WAIT, journal=[call(0, value=BIG[2])]), epoch=9))
    with pytest.raises(RunNotFound):
        await store.claim("nothing", BIG[0])
    assert count() == 0


async def test_a_run_takes_big_values_to_another_store(counted: tuple[Store, Count]) -> None:
    store, count = counted
    source = MemoryStore()
    run = await source.create(replace(new_run(), options=BIG[0]))
    await source.journal("r", run.epoch, call(0, value=BIG[1]))
    file = await export_run(source, "r")
    for prefix in ("a ", "b "):
        await import_run(store, file, prefix=prefix)
        assert [row.value for row in await store.calls(f"{prefix}r")] == [BIG[1]]
    assert count() == 2
    await store.delete("a r")
    assert ((await store.load("b r")).options, count()) == (BIG[0], 2)
    await store.delete("b r")
    assert count() == 0


Operation = tuple[int, int | None]
"""A run, and the big value that it writes with a step; None: the run is deleted."""


@st.composite
def operations(draw: st.DrawFn) -> list[Operation]:
    return draw(st.lists(st.tuples(st.integers(0, 3), st.none() | st.integers(0, 2)), max_size=16))


async def follow(store: Store, count: Count, todo: list[Operation]) -> None:
    """Do as told; every run stays whole, and no big value stays that no run has."""
    has: dict[str, list[bytes]] = {}
    for number, which in todo:
        run_id = str(number)
        if which is None and run_id in has:
            del has[run_id]
            await store.delete(run_id)
        elif which is not None and run_id not in has:
            run = await store.create(replace(new_run(run_id), state=BIG[which], status=Status.PENDING))
            has[run_id] = [BIG[which]]
        elif which is not None:
            run = await store.claim(run_id)
            step = commit(run_id, run.epoch, run.seq, Status.PENDING)
            await store.commit(replace(step, state=BIG[which], step=replace(step.step, body=BIG[which])))
            has[run_id].append(BIG[which])
        assert count() == len({value for written in has.values() for value in written})
    for run_id, written in has.items():
        assert (await store.load(run_id)).state == written[-1]
        assert [step.body for step in await store.steps(run_id, after=-1)] == written[1:]
    for run_id in has:
        await store.delete(run_id)
    assert count() == 0


@given(operations())
@settings(max_examples=40, deadline=None)
def test_no_big_value_is_lost_or_left_in_memory(todo: list[Operation]) -> None:
    store = MemoryStore()
    anyio.run(follow, store, store.blobs.__len__, todo)


@given(operations())
@settings(max_examples=25, deadline=None)
def test_no_big_value_is_lost_or_left_in_a_file(todo: list[Operation]) -> None:
    async def main() -> None:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "r.db"
            store = SQLiteStore(path, synchronous="NORMAL")
            try:
                await follow(store, lambda: in_file(path), todo)
            finally:
                await store.aclose()

    anyio.run(main)


async def test_no_big_value_is_lost_or_left_in_a_database(place: DatabasePlace) -> None:
    todo: list[Operation] = [
        (0, 0),
        (1, 0),
        (1, 1),
        (0, 2),
        (1, 1),
        (0, None),
        (2, 1),
        (1, None),
        (2, 2),
        (2, 2),
        (2, None),
    ]
    store = place.open()
    await follow(store, partial(in_database, place), todo)
    await store.aclose()


async def test_a_forgotten_run_takes_its_big_values_with_it() -> None:
    store = MemoryStore(keep=1)
    agent = Agent(TestModel(), store=store)
    for turn in range(3):
        await agent.run([IMAGE, BinaryContent(b"%d" % turn * LIMIT * 2, "image/png")], run_id=f"run {turn}")
    await agent.run(["nobody asks for", BinaryContent(b"." * LIMIT, "image/png")])
    assert len(store.blobs) == 2


async def test_owners_that_write_and_delete_at_once_lose_nothing(place: DatabasePlace) -> None:
    stores = [place.open(), place.open()]

    async def work(number: int) -> None:
        store = stores[number]
        for turn in range(8):
            run_id = f"{number} {turn}"
            await store.create(replace(new_run(run_id), state=BIG[0], options=BIG[turn % 3], status=Status.PENDING))
            assert (await stores[1 - number].load(run_id)).state == BIG[0]
            await store.delete(run_id)

    async with anyio.create_task_group() as group:
        group.start_soon(work, 0)
        group.start_soon(work, 1)
    assert in_database(place) == 0
    for store in stores:
        await store.aclose()


@pytest.fixture
def torn(tmp_path: Path) -> Callable[[], None]:
    """Loses all big values of a file."""

    def lose() -> None:
        with closing(sqlite3.connect(tmp_path / "r.db")) as connection, connection:
            connection.execute("DELETE FROM blobs")

    return lose


async def test_a_lost_value_is_named_by_run_step_and_field(tmp_path: Path, torn: Callable[[], None]) -> None:
    store = SQLiteStore(tmp_path / "r.db")
    agent = Agent(TestModel(custom_result_text="seen"), store=store)
    await agent.run(["Look", IMAGE], run_id="r")
    await store.create(replace(new_run("s", named=True), state=BIG[0]))
    await store.journal("s", 1, call(0, value=BIG[0]))
    torn()
    with pytest.raises(
        DecodeError, match=r"run 'r', step -1: UserPromptNode\.\w+ cannot be decoded: .* lost the big"
    ) as caught:
        await store.steps("r")
    with pytest.raises(DecodeError, match="run 's', step 0: the state cannot be decoded"):
        await store.load("s")
    with pytest.raises(DecodeError, match="run 's', step 0: the value of call 'k' cannot be decoded"):
        await store.calls("s")
    (problem,) = await agent.can_resume("r")
    assert (problem.step, problem.field) == (-1, caught.value.field)
    assert [run.run_id for run in await store.list()] == ["s", "r"]  # one that is lost hides no other
    await store.aclose()


@pytest.mark.parametrize(
    ("head", "field"),
    [
        ('{"to":"Next","fields":{"a":1,"b":2},"lists":{}}', "Next.b"),
        ('{"to":"Next","fields":{"a":1},"lists":{"log":[5,{"3":1},[["in","a"],2]]}}', "item 6 of log"),
        ('{"to":"Next","fields":{},"lists":{"log":[5,{"3":2},[]]}}', "item 3 of log"),
        ('{"to":"Next","fields":{},"lists":{}}', "the body"),
    ],
)
async def test_the_field_is_found_in_the_body(tmp_path: Path, torn: Callable[[], None], head: str, field: str) -> None:
    store = SQLiteStore(tmp_path / "r.db")
    run = await store.create(new_run())
    step = commit("r", run.epoch, 0)
    body = b"%b\n1\n%b" % (head.encode(), BIG[0])
    await store.commit(replace(step, step=replace(step.step, body=body)))
    torn()
    with pytest.raises(DecodeError) as caught:
        await store.steps("r")
    assert (caught.value.step, caught.value.field) == (0, field)
    await store.aclose()


async def test_a_file_of_the_first_format_is_brought_up(tmp_path: Path) -> None:
    path = FilePlace(tmp_path / "r.db").path
    store = SQLiteStore(path)
    await store.create(replace(new_run(), status=Status.PENDING))
    await store.aclose()
    with closing(sqlite3.connect(path)) as connection, connection:  # as the first release left it
        connection.execute("DROP TABLE run_blobs")
        connection.execute("DROP INDEX runs_by_wake")
        connection.execute("DROP INDEX runs_by_dispatch")
        connection.execute("ALTER TABLE runs DROP COLUMN dispatch")
        connection.execute("ALTER TABLE runs DROP COLUMN wake_at")
        connection.execute("UPDATE meta SET value = '1' WHERE name = 'format'")
    store = SQLiteStore(path)
    run = await store.claim("r", BIG[0])
    assert (run.options, await store.steps("r")) == (BIG[0], [new_run().opening])
    await store.aclose()
    assert (in_file(path, "run_blobs"), FORMAT >= 2) == (1, True)


async def test_a_run_that_others_go_on_from_keeps_its_big_values(counted: tuple[Store, Count]) -> None:
    store, count = counted
    agent = Agent(TestModel(custom_result_text="seen"), store=store)
    await agent.run(["Look", IMAGE], run_id="r")
    forked = await agent.fork("r", step=1)
    with pytest.raises(UserError):
        await store.delete("r")
    done = await agent.run(resume=forked)
    assert images(done) == [IMAGE]
    await store.delete(forked)
    await store.delete("r")
    assert count() == 0
