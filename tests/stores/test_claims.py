"""Who may have a run: every status, lease and owner."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentgraph.exceptions import IllegalTransition, RunBusy
from agentgraph.graph.lifecycle import LIFECYCLE, Event, Status
from agentgraph.graph.store import Owner, RunRecord
from agentgraph.stores.claims import cancelled, claimed, lives, settled

OWNER = Owner("host", 7, 1, "here")
RUN = RunRecord(
    run_id="r",
    graph="g",
    status=Status.RUNNING,
    epoch=1,
    seq=0,
    attempt=1,
    state=b"",
    pending="A",
    owner=OWNER,
    lease_until=100.0,
)
IDLE = [status for status in Status if status is not Status.RUNNING]


def dead(owner: Owner) -> bool:
    return owner == OWNER


def alive(owner: Owner) -> bool:
    return False


def test_a_lease_ends_at_its_second() -> None:
    assert lives(RUN, 99.9, alive)
    assert not lives(RUN, 100.0, alive)
    assert lives(RUN, 100.0, alive, held=True)
    assert not lives(RUN, 99.9, dead)
    assert not lives(replace(RUN, owner=None), 99.9, alive, held=True)


def test_a_living_run_is_busy_and_says_who_has_it() -> None:
    with pytest.raises(RunBusy, match="process 7 on here") as caught:
        claimed(RUN, 90.0, alive)
    assert (caught.value.run_id, caught.value.seconds) == ("r", 10.0)
    with pytest.raises(RunBusy) as caught:
        claimed(RUN, 190.0, alive, held=True)
    assert caught.value.seconds == 0.0


@pytest.mark.parametrize("run", [replace(RUN, lease_until=90.0), replace(RUN, owner=None)])
def test_an_abandoned_run_is_claimed(run: RunRecord) -> None:
    assert claimed(run, 90.0, alive) is Status.RUNNING


@pytest.mark.parametrize("status", IDLE)
def test_what_nobody_executes_is_started_if_the_lifecycle_allows(status: Status) -> None:
    run = replace(RUN, status=status)
    if Event.START in LIFECYCLE[status]:
        assert claimed(run, 90.0, alive) is Status.RUNNING
    else:
        with pytest.raises(IllegalTransition):
            claimed(run, 90.0, alive)


@pytest.mark.parametrize("status", IDLE)
def test_what_nobody_executes_is_cancelled_or_left(status: Status) -> None:
    after = cancelled(replace(RUN, status=status), 90.0, alive)
    assert after is LIFECYCLE[status].get(Event.CANCEL, status)


def test_a_living_run_is_left_to_its_owner() -> None:
    assert cancelled(RUN, 90.0, alive) is Status.RUNNING
    assert cancelled(RUN, 90.0, dead) is Status.CANCELLED


def test_only_the_events_that_end_a_claim_settle() -> None:
    allowed: set[Event] = {Event.RELEASE, Event.FAIL, Event.CANCEL, Event.WAIT}
    for event in allowed:
        assert settled(event, asked=False) is LIFECYCLE[Status.RUNNING][event]
    for event in set(Event) - allowed:
        with pytest.raises(IllegalTransition):
            settled(event, asked=False)
