"""Stores whose payloads are encrypted: what can be seen of them, and what a key opens."""

from __future__ import annotations

import sqlite3
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import pytest
from psycopg import sql

from agentgraph import Agent, BinaryContent, ModelSettings, RunWaiting, ToolApproved
from agentgraph.exceptions import DecodeError, RunNotFound, StoreError, UserError
from agentgraph.graph import records
from agentgraph.graph.lifecycle import Event, Status
from agentgraph.graph.questions import Question
from agentgraph.graph.store import BranchRecord, EventKind, JournalKind, Store
from agentgraph.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from agentgraph.models.function import AgentInfo, FunctionModel
from agentgraph.stores import EncryptedStore, MemoryStore, SivCipher, SQLiteStore, export_run, import_run, new_key
from agentgraph.stores.blobs import LIMIT
from agentgraph.stores.samples import call, commit, new_run, settlement, stored, told
from tests.stores.places import DatabasePlace

pytestmark = pytest.mark.anyio

MARK = "marzipan"
KEY = new_key()


def big(letter: bytes) -> bytes:
    return b'"%b"' % (MARK.encode() + letter * LIMIT)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "r.db"


@pytest.fixture
async def plain(path: Path) -> AsyncIterator[SQLiteStore]:
    """What is below an encrypted store."""
    store = SQLiteStore(path)
    yield store
    await store.aclose()


@pytest.fixture
def store(plain: SQLiteStore) -> EncryptedStore:
    return EncryptedStore(plain, SivCipher(KEY))


async def all_said(store: Store) -> list[object]:
    """Leave the mark in every place where a run keeps something."""

    async def reply(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if len(messages) > 1:
            return ModelResponse([TextPart(f"{MARK} reply")])
        names = ("pay", "look", "send")
        return ModelResponse([ToolCallPart(name, {"what": f"{MARK} {name}"}, f"id-{name}") for name in names])

    agent = Agent(FunctionModel(reply), store=store, system_prompt=f"{MARK} system")

    @agent.tool_plain(requires_approval=True)
    async def pay(what: str) -> str:
        return f"{MARK} paid {what}"

    @agent.tool_plain(requires_approval=True)
    async def send(what: str) -> str:
        return f"{MARK} sent {what}"

    @agent.tool_plain
    async def look(what: str) -> str:
        return f"{MARK} seen {what}" + "." * LIMIT

    image = BinaryContent(MARK.encode() * LIMIT, "image/png")
    settings: ModelSettings = {"stop_sequences": [f"{MARK} stop"]}
    with pytest.raises(RunWaiting):
        await agent.run([f"{MARK} prompt", image], run_id="r", model_settings=settings)
    await agent.answer("r", "id-pay", ToolApproved(args={"what": f"{MARK} changed"}))
    seen = await read(store)
    done = await agent.run(resume="r", answers={"id-send": ToolApproved()})
    return [seen, done.data, done.all_messages()]


async def failing(store: Store) -> None:
    agent = Agent(FunctionModel(lambda messages, info: raised(ConnectionError(f"{MARK} lost"))), store=store)
    with pytest.raises(ConnectionError):
        await agent.run("Hello", run_id="failed")
    assert MARK in str((await store.load("failed")).error)


def raised(error: Exception) -> ModelResponse:
    raise error


def traces(data: bytes) -> list[bytes]:
    """What of the mark is there: as it is, and in base64 wherever it may begin."""
    shifted = [b64encode(b"\0" * shift + MARK.encode())[4:-4] for shift in range(3)]
    return [each for each in (MARK.encode(), *shifted) if each in data]


def found_in(folder: Path) -> dict[str, list[bytes]]:
    return {each.name: traces(each.read_bytes()) for each in folder.iterdir()}


async def telling(store: Store) -> None:
    """Leave a run in the middle of a reply, and what was told of it in the store."""
    run = await store.create(new_run("told"))
    event = told(0, 0, body=f'[0,0,"{MARK}"]'.encode())
    store.tell("told", run.epoch, event)
    store.tell("told", run.epoch, replace(event, n=1, kind=EventKind.EMITTED))
    await store.settle(settlement(run, Event.RELEASE))
    assert [each.body for each in await store.events("told")] == [event.body] * 2


async def test_an_event_that_was_moved_is_refused(plain: SQLiteStore, store: Store) -> None:
    await telling(store)
    first, second = await plain.events("told")
    run = await plain.claim("told")
    plain.tell("told", run.epoch, replace(first, attempt=2, body=second.body))
    await plain.settle(settlement(run, Event.RELEASE))
    with pytest.raises(StoreError, match="run 'told', step 0: event 0 cannot be decrypted"):
        await store.events("told")


async def test_nothing_that_was_said_can_be_found_in_the_file(path: Path, plain: SQLiteStore, store: Store) -> None:
    seen = await all_said(store)
    await failing(store)
    await telling(store)
    assert MARK in str(seen)
    assert found_in(path.parent) == {"r.db": [], "r.db-wal": [], "r.db-shm": []}
    await plain.aclose()
    assert found_in(path.parent) == {"r.db": []}


async def test_without_encryption_it_would_be_found(path: Path, plain: SQLiteStore) -> None:
    await all_said(plain)
    await plain.aclose()
    assert len(found_in(path.parent)["r.db"]) > 1


async def test_nothing_can_be_found_in_a_database(place: DatabasePlace) -> None:
    inner = place.open()
    await all_said(EncryptedStore(inner, SivCipher(KEY)))
    await failing(EncryptedStore(inner, SivCipher(KEY)))
    await telling(EncryptedStore(inner, SivCipher(KEY)))
    with place.connect() as connection:
        for table in ("runs", "steps", "journal", "events", "blobs"):
            rows = connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))).fetchall()
            values = [value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row]
            assert traces(b"".join(values)) == []
    await inner.aclose()


def test_every_payload_of_a_record_is_known_here() -> None:
    """A field of bytes that is added to a record has to be sealed, or named here as one that may be seen."""
    classes = [getattr(records, name) for name in records.__all__]
    found = {
        kind.__name__: {each.name for each in fields(kind) if "bytes" in str(each.type)}
        for kind in classes
        if isinstance(kind, type) and is_dataclass(kind)
    }
    sealed = {"RunRecord": {"state", "options"}, "NewRun": {"state", "options"}, "Commit": {"state"}}
    sealed |= {"StepRecord": {"body", "state"}, "JournalRecord": {"value"}, "EventRecord": {"body"}}
    sealed |= {"BranchRecord": {"state"}}
    assert {name: names - {"usage"} for name, names in found.items() if names} == sealed


async def test_a_store_can_be_listed_without_the_key(plain: SQLiteStore, store: Store) -> None:
    await all_said(store)
    (run,) = await plain.list()
    opened = await store.load("r")
    same = {each.name for each in fields(run) if getattr(run, each.name) == getattr(opened, each.name)}
    assert {each.name for each in fields(run)} - same == {"state", "options"}


async def test_a_run_cannot_be_read_without_the_key(plain: SQLiteStore, store: Store) -> None:
    await all_said(store)
    agent = Agent("test", store=plain)
    for attempt in (agent.run(resume="r"), agent.fork("r"), agent.can_resume("r")):
        with pytest.raises(StoreError, match="run 'r' is encrypted: open its store with the key"):
            await attempt


async def test_a_wrong_key_says_so_and_claims_nothing(plain: SQLiteStore, store: Store) -> None:
    await store.create(replace(new_run(), status=Status.PENDING))
    wrong = EncryptedStore(plain, SivCipher(new_key()))
    with pytest.raises(StoreError, match=r"run 'r': the state cannot be decrypted: it needs the key known as \w{8}"):
        await wrong.claim("r")
    with pytest.raises(StoreError, match="run 'r', step -1: the body cannot be decrypted"):
        await wrong.steps("r")
    assert (await plain.load("r")).status is Status.PENDING


async def test_keys_are_never_shown(store: Store) -> None:
    with pytest.raises(UserError) as caught:
        SivCipher(KEY[:-8])
    assert KEY[:8] not in f"{store!r} {SivCipher(KEY)!r} {caught.value}"
    with pytest.raises(UserError, match="neither"):
        SivCipher("ä")
    assert SivCipher(b"k" * 32).decrypt(SivCipher(b"k" * 32).encrypt(b"x", b"a"), b"a") == b"x"


async def test_an_older_key_still_opens_what_it_has_sealed(plain: SQLiteStore, store: Store) -> None:
    """A question that was asked under the old key is known again, so its answer is not lost."""
    run = await store.create(new_run())
    asked = Question("r", "/0/k", MARK, "d").row("r", 0, "")
    assert await store.settle(replace(settlement(run, Event.WAIT), questions=[asked])) is Status.WAITING
    newer = EncryptedStore(plain, SivCipher(new_key(), KEY))
    with pytest.raises(UserError, match="something else"):
        await newer.answer("r", "k", MARK, "other")
    run = await newer.claim("r", b'{"renewed":1}')
    await newer.answer("r", "k", MARK, "d")
    assert await newer.settle(replace(settlement(run, Event.WAIT), questions=[asked])) is Status.RUNNING
    (row,) = await newer.calls("r")
    assert (row.kind, row.digest, row.value) == (JournalKind.ANSWERED, "d", b'"marzipan"')
    with pytest.raises(StoreError):
        await store.load("r")


async def test_a_question_to_nobody_is_refused_as_below(store: Store) -> None:
    with pytest.raises(RunNotFound):
        await store.answer("nobody", "k", 1)


async def test_an_answered_question_moves_with_its_run(store: Store) -> None:
    answered = call(3, "c", JournalKind.ANSWERED, b'"yes"')
    await store.insert([replace(stored(), calls=[answered])])
    assert await store.calls("r") == [answered]


async def read(store: Store) -> object:
    return await store.load("r"), await store.steps("r"), await store.calls("r"), await store.branches("r")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            "UPDATE steps SET body = (SELECT body FROM steps WHERE seq = 0) WHERE seq = 1",
            "run 'r', step 1: the body cannot be decrypted: it was changed, or moved here from elsewhere",
        ),
        ("UPDATE steps SET body = '{}'", "run 'r', step -1: the body is not encrypted"),
        (
            "UPDATE steps SET body = x'005b345d0a61626364'",
            "step -1: the body cannot be decrypted: it needs the key known as 61626364; given: ",
        ),
        ("UPDATE journal SET value = '1' WHERE key = 'a'", "the value of call '/3/a' is not encrypted"),
        ("UPDATE journal SET value = '{\"sealed\":\"?\"}' WHERE key = 'a'", "call '/3/a' is not encrypted"),
        (
            "UPDATE journal SET value = (SELECT value FROM journal WHERE key = 'b')",
            "the value of call '/3/a' is not encrypted",
        ),
        (
            "UPDATE pending SET state = (SELECT state FROM pending WHERE branch = '2:1') WHERE branch = '2:0'",
            "run 'r': the state of branch 2:0 cannot be decrypted",
        ),
        ("UPDATE runs SET error = 'sealed:?'", "run 'r': the error is not encrypted"),
        ("UPDATE runs SET error = 'plain'", "run 'r': the error is not encrypted"),
    ],
)
async def test_what_was_changed_or_moved_is_refused(
    path: Path, plain: SQLiteStore, store: Store, change: str, told: str
) -> None:
    run = await store.create(new_run())
    for seq in range(2):
        await store.commit(commit("r", run.epoch, seq))
    branches = [BranchRecord(branch=path, node="Work", state=b"{}") for path in ("2:0", "2:1")]
    await store.commit(replace(commit("r", run.epoch, 2), opens=branches))
    await store.journal("r", run.epoch, call(3, "a", JournalKind.ASKED, b'{"run_id":"r"}'))
    await store.journal("r", run.epoch, call(3, "b"))
    await store.settle(settlement(run, Event.FAIL, error="no"))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(change)
    with pytest.raises(StoreError, match=told):
        await read(store)


async def test_big_values_are_still_stored_once(path: Path, store: Store) -> None:
    for run_id in ("r", "s"):
        await store.create(
            replace(new_run(run_id), state=b'{"a":%b,"b":%b}' % (big(b"x"), big(b"y")), options=big(b"x"))
        )
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT data FROM blobs").fetchall()
    assert (len(rows), [traces(data) for (data,) in rows]) == (2, [[], []])
    assert (await store.load("s")).options == big(b"x")


async def test_a_big_value_that_is_lost_or_changed_is_named(path: Path, store: Store) -> None:
    run = await store.create(new_run())
    step = commit("r", run.epoch, 0)
    await store.commit(replace(step, step=replace(step.step, body=b"{}\n" + big(b"x"))))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE blobs SET data = CAST(data || 'more' AS BLOB)")
    with pytest.raises(StoreError, match="run 'r', step 0: the body is not encrypted"):
        await store.steps("r")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE blobs SET data = zeroblob(length(data) - 4)")
    with pytest.raises(
        StoreError, match="run 'r', step 0: the body cannot be decrypted: it needs the key known as 00000"
    ):
        await store.steps("r")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM blobs")
    with pytest.raises(
        DecodeError, match="run 'r', step 0: the body cannot be decoded: the store has lost the big value"
    ):
        await store.steps("r")


async def test_runs_come_in_and_out_in_the_clear(store: Store) -> None:
    source = MemoryStore()
    asked = call(2, "q", JournalKind.ASKED, value=Question("r", "/2/q", MARK, "d").row("r", 2, "").value)
    rows = [
        asked,
        call(2, "odd", JournalKind.ASKED),
        call(2, "done"),
        call(2, "yes", JournalKind.ANSWERED, value=b"[1]"),
    ]
    run = stored("r", Status.FAILED)
    await source.insert([replace(run, run=replace(run.run, error="why"), calls=rows)])
    file = await export_run(source, "r")
    assert await import_run(store, file) == "r"
    assert await export_run(store, "r") == file


async def test_runs_that_are_exported_without_the_key_keep_their_ids(plain: SQLiteStore, store: Store) -> None:
    run = await store.create(new_run())
    await store.settle(settlement(run, Event.RELEASE))
    file = await export_run(plain, "r")
    other = MemoryStore()
    with pytest.raises(StoreError, match="run 'r' is encrypted"):
        await import_run(other, file, prefix="copy of ")
    await import_run(other, file)
    assert (await EncryptedStore(other, SivCipher(KEY)).load("r")).state == run.state


async def test_encryption_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(UserError, match=r"pip install 'agentgraph\[encryption\]'"):
        SivCipher(KEY)
