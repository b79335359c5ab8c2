"""`agentgraph queues` and `agentgraph workers`, on real databases."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial

import anyio
import psycopg
import pytest
from anyio import to_thread

from agentgraph import Agent
from agentgraph.distributed import open_dispatcher
from agentgraph.distributed.pulse import Pulse
from agentgraph.distributed.queues import Queues
from agentgraph.graph import Status
from agentgraph.models.test import TestModel
from agentgraph.stores import PostgresStore, SivCipher, new_key
from tests.cli.calling import CommandLine, command
from tests.distributed.fleet import database
from tests.distributed.jobs import Counted, Hold, holder


@pytest.fixture
def url(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database that commands find without being told."""
    with database() as found:
        monkeypatch.setenv("AGENTGRAPH_STORE", found)
        yield found


async def submit(url: str, *tenants: str | None) -> None:
    """A run for each of these, and for the first one another that is delayed."""
    async with open_dispatcher(url) as dispatcher:
        for tenant in tenants:
            await dispatcher.submit(holder, Hold(0), state=Counted(), tenant=tenant)
        await dispatcher.submit(holder, Hold(0), state=Counted(), tenant=tenants[0], delay=60)


def table(out: str) -> list[list[str]]:
    """The words of each row below the head, with no age told."""
    return [re.sub(r"\b\d+ s\b", "now", line).split() for line in out.splitlines() if line.strip()][2:]


@contextmanager
def worker(url: str, executor: str, *, draining: bool = False) -> Generator[Queues]:
    """The signs of life of a worker that executes three runs."""
    store = PostgresStore(url)
    queues = Queues(store.database)
    pulse = Pulse(queues, executor, ["holder"], lambda: (3, draining))
    pulse.start()
    try:
        yield queues
    finally:
        pulse.stop()
        anyio.run(store.aclose)


def test_queues_show_what_stands_in_them_by_tenant(cli: CommandLine, url: str) -> None:
    anyio.run(submit, url, "acme", "acme", "bolt", None)
    cli("queues", "set", "holder", "--concurrency", "5")
    assert table(cli("queues").out) == [
        ["holder", "4", "now", "0", "1", "5", "at", "once"],
        ["acme", "2", "0", "1"],
        ["-", "1", "0", "0"],
        ["bolt", "1", "0", "0"],
    ]


def test_of_many_tenants_those_with_most_are_shown(cli: CommandLine, url: str) -> None:
    anyio.run(submit, url, *(f"t{number}" for number in range(12)))
    rows = table(cli("queues").out)
    assert (rows[1], len(rows), rows[-1]) == (["t0", "1", "0", "1"], 12, ["and", "2", "more", "tenants"])


def test_a_queue_without_tenants_is_one_row(cli: CommandLine, url: str) -> None:
    anyio.run(submit, url, None)
    assert table(cli("queues").out) == [["holder", "1", "now", "0", "1", "100", "per", "worker"]]


def test_queues_as_json(cli: CommandLine, url: str) -> None:
    anyio.run(submit, url, "acme")
    (queue,) = json.loads(cli("queues", "--json").out)
    assert (queue["name"], queue["load"]) == ("holder", {"waiting": 1, "running": 0, "delayed": 1})
    assert queue["limits"]["per_worker"] == 100
    assert queue["tenants"] == {"acme": queue["load"]}


def test_limits_are_set_one_by_one(cli: CommandLine, url: str) -> None:
    def set_limits(*options: str) -> str:
        return cli("queues", "set", "holder", *options).out

    assert set_limits("--concurrency", "5", "--per-tenant", "2") == "holder: 5 at once, 2 per tenant\n"
    assert set_limits("--rate", "10/2", "--per-worker", "none") == "holder: 5 at once, 2 per tenant, 10 in 2 s\n"
    assert set_limits("--rate-per-tenant", "1/0.5").endswith("10 in 2 s, 1 in 0.5 s per tenant\n")
    assert set_limits("--per-worker", "3").startswith("holder: 5 at once, 3 per worker, 2 per tenant, ")
    gone = (
        "--concurrency",
        "none",
        "--per-tenant",
        "none",
        "--rate",
        "none",
        "--rate-per-tenant",
        "none",
        "--per-worker",
        "none",
    )
    assert set_limits(*gone) == "holder: none\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "no limit is named; name one, such as `agentgraph queues set holder --concurrency 10`"),
        (("--concurrency", "many"), "'many' is no limit; write a number, or none"),
        (("--concurrency", "0"), "concurrency=0 let nothing run"),
        (("--rate", "10"), "'10' is no rate; write beginnings/seconds, such as 10/2, or none"),
    ],
)
def test_limits_that_make_no_sense_are_refused(cli: CommandLine, url: str, options: tuple[str, ...], said: str) -> None:
    assert said in cli.refusal("queues", "set", "holder", *options)


def test_workers_show_how_they_stand(cli: CommandLine, url: str) -> None:
    insert = b"""
        INSERT INTO agentgraph.workers SELECT %s, 'h', 1, 1, 'far', '{holder}', now, now - %s, NULL, 2
        FROM (SELECT extract(epoch FROM clock_timestamp())::float8 AS now) AS clock
    """
    cli("queues", "set", "holder", "--per-worker", "7")
    with worker(url, "at-work") as queues, worker(url, "ending", draining=True), psycopg.connect(url) as connection:
        connection.cursor().executemany(insert, [("dead", 0.0), ("late", 9.0)])
        hold = queues.render("SELECT pg_advisory_lock({lock}) FROM (SELECT 'late' AS executor) AS worker")
        connection.execute(hold)
        connection.commit()
        wait = "SELECT count(*) FROM agentgraph.workers WHERE running = 3"
        while connection.execute(wait).fetchone() != (2,):  # their first signs
            connection.commit()
        connection.commit()
        shown = {row[0]: (row[3], row[4], *row[5:7]) for row in table(cli("workers").out)}
        told = {each["executor"]: each["status"] for each in json.loads(cli("workers", "--json").out)}
    assert shown == {
        "at-work": ("serving", "holder", "3", "7"),
        "ending": ("ending", "holder", "3", "7"),
        "late": ("silent", "holder", "2", "7"),
        "dead": ("gone", "holder", "2", "7"),
    }
    assert told == {name: row[0] for name, row in shown.items()}


def test_a_worker_may_execute_as_many_as_come(cli: CommandLine, url: str) -> None:
    cli("queues", "set", "holder", "--per-worker", "none")
    with worker(url, "at-work"):
        assert table(cli("workers").out)[0][6] == "any"


def test_what_dispatching_needs_is_removed_and_made_anew(cli: CommandLine, url: str) -> None:
    anyio.run(submit, url, "acme")
    with worker(url, "at-work"):
        assert "end at-work first" in cli.refusal("queues", "remove")
    assert cli("queues", "remove").code == 0
    left = "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'dispatch%'"
    schema = "SELECT to_regnamespace('agentgraph_dbos') IS NULL"
    with psycopg.connect(url) as connection:
        assert (connection.execute(left).fetchone(), connection.execute(schema).fetchone()) == ((0,), (True,))
    assert cli("queues").out == "no queues; nothing was ever submitted here\n"
    assert cli("workers").out == "no workers; start one with `agentgraph worker`\n"
    assert len(cli("runs").out.splitlines()) > 2
    anyio.run(submit, url, "acme")
    assert table(cli("queues").out)[0][:4] == ["holder", "1", "now", "0"]


@pytest.mark.parametrize("command", [("workers",), ("queues", "remove"), ("queues", "set", "q", "--rate", "1/1")])
def test_a_file_has_no_workers_or_limits_that_others_know(cli: CommandLine, command: tuple[str, ...]) -> None:
    anyio.run(submit, "runs.db", "acme")
    assert "executed by the processes that serve it" in cli.refusal(*command, "--store", "runs.db")
    assert "there is no store missing.db" in cli.refusal(*command, "--store", "missing.db")


def test_what_stands_in_the_queues_of_a_file_is_shown(cli: CommandLine) -> None:
    anyio.run(submit, "runs.db", "acme")
    assert table(cli("queues", "--store", "runs.db").out) == [
        ["holder", "1", "now", "0", "1", "100", "per", "worker"],
        ["acme", "1", "0", "1"],
    ]


def test_a_server_that_is_away_is_told(cli: CommandLine) -> None:
    away = cli.refusal("workers", "--store", "postgresql://127.0.0.1:1/nothing")
    assert "PostgreSQL database 'nothing' on 127.0.0.1:1" in away


def test_a_run_that_was_cancelled_is_woken(cli: CommandLine) -> None:
    async def status(*, cancel: bool = False) -> Status:
        async with open_dispatcher("runs.db") as dispatcher:
            if cancel:
                await dispatcher.submit(holder, Hold(0), state=Counted(), run_id="r")
                await dispatcher.cancel("r")
            return (await dispatcher.store.load("r")).status

    assert anyio.run(partial(status, cancel=True)) is Status.CANCELLED
    assert cli("wake", "r", "--store", "runs.db").out == "r is ready to go on\n"
    assert anyio.run(status) is Status.PENDING
    assert "there is no run 'other'" in cli.refusal("wake", "other", "--store", "runs.db")


@pytest.mark.anyio
@pytest.mark.usefixtures("cli")
async def test_what_is_executed_or_has_succeeded_needs_no_waking() -> None:
    async def woken() -> str:  # by another process: this one has the file open
        return (await to_thread.run_sync(command, "wake", "r", "--store", "runs.db")).out

    desk = Agent(TestModel(), name="desk", store="runs.db")
    async with open_dispatcher("runs.db") as dispatcher:
        await dispatcher.submit(desk, "hello", run_id="r")
        async with desk.iter(resume="r") as run:
            assert await woken() == "r is being executed\n"
            assert [step async for step in run]
        assert await woken() == "r has succeeded: there is nothing to go on with\n"


def test_the_runs_of_an_encrypted_store_are_dispatched_too(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    key = new_key()

    async def cancelled() -> None:
        async with open_dispatcher("runs.db", cipher=SivCipher(key)) as dispatcher:
            await dispatcher.submit(holder, Hold(0), state=Counted(), run_id="r")
            await dispatcher.cancel("r")

    anyio.run(cancelled)
    monkeypatch.setenv("AGENTGRAPH_KEY", key)
    assert cli("wake", "r", "--store", "runs.db").code == 0
    assert table(cli("queues", "--store", "runs.db").out)[0][:2] == ["holder", "1"]
