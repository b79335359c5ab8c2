"""What the server refuses for a moment is sent again, at most for as long as the store is patient; the rest is not."""

from __future__ import annotations

import pytest
from psycopg import sql

from agentgraph.exceptions import StoreError
from agentgraph.graph.lifecycle import Event, Status
from agentgraph.stores import PostgresStore
from agentgraph.stores.samples import call, new_run, next_commit, settlement
from tests.stores.places import DatabasePlace

pytestmark = pytest.mark.anyio

PASSING = ["40001", "40P01", "53300"]
"""A transaction that cannot be serialised, a deadlock, too many clients."""

REFUSING = """
    CREATE SEQUENCE refusals;
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('{schema}.refusals') <= {times} THEN RAISE 'not now' USING ERRCODE = {code}; END IF;
        RETURN NEW;
    END $$;
    CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE OR INSERT ON runs DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION refuse();
"""


def refuse(place: DatabasePlace, code: str, times: int = 1) -> None:
    """Have the server refuse so many transactions at their end, when all is done but to commit."""
    with place.connect() as connection:
        schema = sql.Identifier(place.schema)
        connection.execute(sql.SQL(REFUSING).format(schema=schema, times=sql.Literal(times), code=sql.Literal(code)))


def refuse_again(place: DatabasePlace) -> None:
    with place.connect() as connection:
        assert connection.execute(
            "SELECT setval('refusals', 1, false) WHERE (SELECT last_value > 1 FROM refusals)"
        ).rowcount


def refusals(place: DatabasePlace) -> object:
    with place.connect() as connection:
        row = connection.execute("SELECT last_value FROM refusals").fetchone()
        assert row is not None
        return row[0]


@pytest.mark.parametrize("code", PASSING)
async def test_a_step_that_is_refused_for_a_moment_is_committed_once(
    place: DatabasePlace, database: PostgresStore, code: str
) -> None:
    run = await database.create(new_run())
    await database.journal("r", 1, call(0))
    refuse(place, code)
    assert await database.commit(next_commit(run, journaled=True)) is Status.RUNNING
    assert (await database.load("r")).seq == 1
    assert [step.seq for step in await database.steps("r")] == [-1, 0]
    assert await database.calls("r") == []
    assert refusals(place) == 2


async def test_other_writes_that_are_refused_for_a_moment_are_made_once(
    place: DatabasePlace, database: PostgresStore
) -> None:
    refuse(place, "40001")
    run = await database.create(new_run(conversation="c"))
    for expected in (Status.FAILED, Status.CANCELLED):
        refuse_again(place)
        event = Event.FAIL if expected is Status.FAILED else Event.RELEASE
        assert await database.settle(settlement(run, event, journal=[call(0)])) is expected
        refuse_again(place)
        run = await database.claim("r")
        refuse_again(place)
        assert await database.cancel("r") is Status.RUNNING
    assert (run.epoch, run.attempt) == (3, 3)
    assert await database.calls("r") == [call(0)]


async def test_a_write_that_goes_on_being_refused_says_so(place: DatabasePlace) -> None:
    store = place.open(patience=0)
    run = await store.create(new_run())
    refuse(place, "40001", times=99)
    with pytest.raises(
        StoreError, match=r"PostgreSQL says 'not now'. Nothing was written: run 'r' stands before step 0"
    ):
        await store.commit(next_commit(run))
    assert (await store.load("r")).seq == 0
    with place.connect() as connection:
        connection.execute("DROP TRIGGER refuse ON runs")
    assert await store.commit(next_commit(run)) is Status.RUNNING
    await store.aclose()


async def test_what_would_be_refused_again_is_not_sent_again(place: DatabasePlace, database: PostgresStore) -> None:
    run = await database.create(new_run())
    refuse(place, "53100")
    with pytest.raises(
        StoreError, match=r"the server's disk is full. Nothing was written: run 'r' stands before step 0"
    ):
        await database.commit(next_commit(run))
    assert refusals(place) == 1
    assert await database.commit(next_commit(run)) is Status.RUNNING
