"""What every store does for runs that wait: questions are written with the sleep, answered once, and never lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentgraph.exceptions import (
    RunFenced,
    RunNotFound,
    UserError,
)
from agentgraph.graph import Question
from agentgraph.graph.lifecycle import Event, Status
from agentgraph.graph.questions import taken_along
from agentgraph.graph.store import (
    JournalKind,
    JournalRecord,
    RunRecord,
    Settlement,
    Store,
)
from agentgraph.stores.samples import HandClock, call, commit, new_run, next_commit, settlement

from .suite import StoreSuite

__all__ = ["Answers", "Sleeping"]


def question(key: str = "k", digest: str = "d", *, run_id: str = "r") -> JournalRecord:
    """As it stands in the journal of run `r`, at its first step."""
    return Question(run_id, f"/0/{key}", {"ask": key}, digest).row("r", 0, "")


def to_wait(run: RunRecord, *questions: JournalRecord, journal: tuple[JournalRecord, ...] = ()) -> Settlement:
    return replace(settlement(run, Event.WAIT, journal=journal), questions=questions)


async def waiting(store: Store, *questions: JournalRecord) -> RunRecord:
    run = await store.create(new_run())
    assert await store.settle(to_wait(run, *(questions or (question(),)))) is Status.WAITING
    return run


def answer(row: JournalRecord, value: bytes) -> JournalRecord:
    return replace(row, kind=JournalKind.ANSWERED, value=value)


class Answers(StoreSuite):
    """Questions are answered from anywhere, once."""

    @pytest.mark.parametrize("key", ["/0/k", "k"])
    async def test_a_question_is_answered_by_its_key_or_the_last_part_of_it(self, store: Store, key: str) -> None:
        await waiting(store)
        await store.answer("r", key, {"yes": [1, None]})
        assert await store.calls("r") == [answer(question(), b'{"yes":[1,null]}')]
        assert (await store.load("r")).status is Status.WAITING

    async def test_answers_come_one_at_a_time_in_any_order(self, store: Store) -> None:
        await waiting(store, question("a"), question("b"))
        await store.answer("r", "b", 2)
        assert await store.calls("r") == [question("a"), answer(question("b"), b"2")]
        await store.answer("r", "a", 1)
        assert await store.calls("r") == [answer(question("a"), b"1"), answer(question("b"), b"2")]

    @pytest.mark.parametrize("key", ["/0/k", "k"])
    async def test_a_second_answer_is_refused(self, store: Store, key: str) -> None:
        await waiting(store)
        await store.answer("r", "k", "first")
        before = await store.load("r"), await store.calls("r")
        with pytest.raises(UserError, match=f"question '{key}' of run 'r' was answered already"):
            await store.answer("r", key, "second")
        assert (await store.load("r"), await store.calls("r")) == before

    async def test_an_answer_to_what_was_not_asked_is_refused_and_told_what_was(self, store: Store) -> None:
        await waiting(store, question("a"), question("b"))
        with pytest.raises(UserError, match="run 'r' has no open question 'c'; its open questions: /0/a, /0/b"):
            await store.answer("r", "c", 1)
        with pytest.raises(RunNotFound, match="'unknown'"):
            await store.answer("unknown", "a", 1)

    async def test_an_answer_about_something_else_is_refused(self, store: Store) -> None:
        await waiting(store)
        with pytest.raises(UserError, match="'k' of run 'r' is about something else than what was answered"):
            await store.answer("r", "k", 1, "other")
        assert await store.calls("r") == [question()]
        await store.answer("r", "k", 1, "d")

    async def test_a_question_of_a_run_below_is_answered_there(self, store: Store) -> None:
        below = question(run_id="child")
        await waiting(store, below)
        with pytest.raises(UserError, match="is asked by run 'child': answer it there"):
            await store.answer("r", below.path, 1)
        assert await store.calls("r") == [below]

    async def test_an_answer_to_a_run_that_has_moved_on_is_refused(self, store: Store) -> None:
        await waiting(store)
        run = await store.claim("r")
        await store.commit(next_commit(run, journaled=True))
        with pytest.raises(UserError, match="no open question '/0/k'; its open questions: none"):
            await store.answer("r", "/0/k", 1)

    async def test_an_answer_touches_the_run_and_does_not_wake_it(self, store: Store, clock: HandClock) -> None:
        await waiting(store)
        before = await store.load("r")
        clock.seconds += 5
        await store.answer("r", "k", 1)
        after = await store.load("r")
        assert after.updated_at == clock.seconds
        assert replace(after, updated_at=before.updated_at) == before


class Sleeping(StoreSuite):
    """A run goes to sleep with its questions, and wakes where it was."""

    async def test_going_to_sleep_writes_outcomes_questions_and_status_at_once(self, store: Store) -> None:
        run = await store.create(new_run())
        held = call(0, "held")
        assert await store.settle(to_wait(run, question("a"), question("b"), journal=(held,))) is Status.WAITING
        after = await store.load("r")
        assert (after.status, after.owner, after.error, after.seq, after.pending) == (
            Status.WAITING,
            None,
            None,
            0,
            "First",
        )
        assert await store.calls("r") == [held, question("a"), question("b")]
        with pytest.raises(RunFenced):
            await store.settle(to_wait(run, question("c")))

    async def test_the_last_part_of_a_key_has_to_name_one_question(self, store: Store) -> None:
        elsewhere = replace(question(), branch="7:2")
        await waiting(store, question(), elsewhere)
        with pytest.raises(UserError, match="no open question 'k'; its open questions: "):
            await store.answer("r", "k", 1)
        await store.answer("r", "7:2/0/k", 2)
        assert answer(elsewhere, b"2") in await store.calls("r")
        assert question() in await store.calls("r")

    @pytest.mark.parametrize("event", [Event.FAIL, Event.CANCEL, Event.RELEASE])
    async def test_a_question_is_open_until_its_step_ends(self, store: Store, event: Event) -> None:
        await waiting(store)
        run = await store.claim("r")
        await store.answer("r", "k", 1)
        await store.settle(settlement(run, event))
        assert await store.calls("r") == [answer(question(), b"1")]

    async def test_a_run_does_not_sleep_beside_an_answer_it_has_not_seen(self, store: Store) -> None:
        await waiting(store, question("a"), question("b"))
        run = await store.claim("r")
        await store.answer("r", "b", 2)
        before = await store.load("r"), await store.calls("r")
        held = call(0, "held")
        assert await store.settle(to_wait(run, question("a"), question("b"), journal=(held,))) is Status.RUNNING
        assert (await store.load("r"), await store.calls("r")) == before
        await store.journal("r", run.epoch, held)  # the claim stands
        assert await store.settle(to_wait(run, question("a"))) is Status.WAITING
        assert await store.calls("r") == [question("a"), answer(question("b"), b"2"), held]

    async def test_an_old_answer_under_the_key_of_another_question_is_none(self, store: Store) -> None:
        await waiting(store)
        run = await store.claim("r")
        await store.answer("r", "k", 1)
        other = question(digest="changed")
        assert await store.settle(to_wait(run, other)) is Status.WAITING
        assert await store.calls("r") == [other]

    async def test_a_commit_takes_the_journal_along_to_a_step_of_the_same_node(self, store: Store) -> None:
        await waiting(store, question("a"), question("b"))
        await store.answer("r", "b", 2)
        run = await store.claim("r")
        big = call(0, "big", value=b'"%b"' % (b"x" * 100_000))
        await store.journal("r", run.epoch, big)
        rows = taken_along(await store.calls("r"), "r", 1)
        step = replace(commit("r", run.epoch, 0, Status.WAITING, journaled=True), calls=rows)
        assert await store.commit(step) is Status.WAITING
        asked = Question("r", "/1/a", {"ask": "a"}, "d").row("r", 1, "")
        answered = replace(answer(question("b"), b"2"), seq=1)
        assert await store.calls("r") == [asked, answered, replace(big, seq=1)]
        await store.answer("r", "/1/a", 1)
        assert (await store.calls("r"))[0] == answer(asked, b"1")

    async def test_a_commit_does_not_take_a_question_along_that_was_answered(self, store: Store) -> None:
        await waiting(store)
        run = await store.claim("r")
        rows = taken_along(await store.calls("r"), "r", 1)
        await store.answer("r", "k", 1)
        before = await store.load("r"), await store.calls("r"), await store.steps("r")
        with pytest.raises(RunFenced):
            await store.commit(replace(commit("r", run.epoch, 0, Status.PENDING, journaled=True), calls=rows))
        assert (await store.load("r"), await store.calls("r"), await store.steps("r")) == before
        assert await store.settle(to_wait(run)) is Status.WAITING  # the claim stands

    async def test_a_waiting_run_that_is_claimed_goes_on_where_it_was(self, store: Store) -> None:
        await waiting(store)
        run = await store.claim("r")
        assert (run.status, run.epoch, run.attempt, run.seq) == (Status.RUNNING, 2, 2, 0)
        assert await store.commit(commit("r", run.epoch, 0)) is Status.RUNNING
