"""What a run can wait for, and how its question and its answer are written down.

A question stands in the journal of the step that asks it, under the key of the call or `wait_for` it belongs to. The
answer takes the row over. Both die with the commit of the step, so an answer can come only while its step is pending.
A call that asks once more after an answer does so under a key of its own (`stage`), so that no answer is taken for
one to another question and none is written over.

A run that waits for another one lists that one's questions in its own journal. They are answered there, not here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from pydantic_core import from_json, to_json

from agentgraph.exceptions import RunWaiting, UserError

from .lifecycle import Status
from .store import Commit, JournalKind, JournalRecord, RunReader, RunRecord

__all__ = [
    "TIMER",
    "Question",
    "all_of",
    "answered",
    "answered_meanwhile",
    "by_branch",
    "load_awake",
    "open_questions",
    "overtaken",
    "pick_question",
    "stage",
    "still_waiting",
    "taken_along",
]


_ASKS = (JournalKind.ASKED, JournalKind.ANSWERED)

TIMER = "sleep "
"""What the keys of those rows begin with that say until when a step sleeps."""


@dataclass(frozen=True, slots=True)
class Question:
    """Something that a run waits for."""

    run_id: str
    """The run that asks: a child of the one that waits, perhaps."""
    key: str
    """Unique in that run: `<branch>/<seq>/<key>`."""
    about: Any
    """What is asked: what JSON can hold."""
    digest: str
    """Of what it is about, so that an answer cannot be taken for another question's."""

    def key_in(self, run_id: str) -> str:
        """The key by which `run_id` lists it: the run that asks, or one above it."""
        return self.key if self.run_id == run_id else f"{self.run_id}:{self.key}"

    def row(self, run_id: str, seq: int, branch: str) -> JournalRecord:
        """As it stands in the journal of `run_id`, the run that asks or one above it."""
        listed = self.key_in(run_id)
        return JournalRecord(
            seq=seq,
            branch=branch,
            key=self.key.removeprefix(f"{branch}/{seq}/") if listed == self.key else listed,
            kind=JournalKind.ASKED,
            digest=self.digest,
            value=to_json({"run_id": self.run_id, "key": self.key, "about": self.about}),
        )

    @classmethod
    def read(cls, row: JournalRecord) -> Question:
        """Out of a journal."""
        stored = from_json(row.value)
        return cls(stored["run_id"], stored["key"], stored["about"], row.digest)


def all_of(run_id: str, waiting: Sequence[RunWaiting]) -> RunWaiting:
    """One that stands for all of them: it waits for every question, and until the earliest time."""
    questions = [each for one in waiting for each in one.questions if isinstance(each, Question)]
    return RunWaiting(run_id, questions, min((one.wake_at for one in waiting if one.wake_at), default=None))


def stage(key: str, answers: int) -> str:
    """Where a call asks, or notes that it begins, after so many answers: `7`, then `7#2`, `7#3`."""
    return key if answers == 0 else f"{key}#{answers + 1}"


def answered(asked: JournalRecord, value: object) -> JournalRecord:
    """The row that takes over the one of a question."""
    return replace(asked, kind=JournalKind.ANSWERED, value=to_json(value))


def answered_meanwhile(questions: Iterable[JournalRecord], rows: Iterable[JournalRecord]) -> bool:
    """Whether the journal holds an answer to one of the questions that a run is about to sleep for."""
    asked = {(question.branch, question.seq, question.key, question.digest) for question in questions}
    return any(row.kind is JournalKind.ANSWERED and (row.branch, row.seq, row.key, row.digest) in asked for row in rows)


def overtaken(commit: Commit, rows: Iterable[JournalRecord]) -> bool:
    """Whether one of the questions that a commit takes along to the next step was answered meanwhile."""
    asked = {row.key for row in commit.calls if row.kind is JournalKind.ASKED}
    at = (commit.step.branch, commit.step.seq)
    return any(row.kind is JournalKind.ANSWERED and (row.branch, row.seq) == at and row.key in asked for row in rows)


def taken_along(rows: Iterable[JournalRecord], run_id: str, seq: int) -> list[JournalRecord]:
    """The journal of a step as the one of step `seq`, at which the same node stands; it asks nothing for others."""
    return [_at(row, run_id, seq) for row in rows]


def _at(row: JournalRecord, run_id: str, seq: int) -> JournalRecord:
    if row.kind is not JournalKind.ASKED:
        return replace(row, seq=seq)
    return replace(Question.read(row), key=f"{row.branch}/{seq}/{row.key}").row(run_id, seq, row.branch)


def open_questions(rows: Iterable[JournalRecord]) -> list[Question]:
    """What a run with this journal waits for, in the order asked."""
    return [Question.read(row) for row in rows if row.kind is JournalKind.ASKED]


def by_branch(rows: Iterable[JournalRecord]) -> dict[str, list[JournalRecord]]:
    """The journals of the branches of a run."""
    found: dict[str, list[JournalRecord]] = {}
    for row in rows:
        found.setdefault(row.branch, []).append(row)
    return found


def still_waiting(run_id: str, rows: Iterable[JournalRecord], now: datetime) -> RunWaiting | None:
    """What the pending step of the branch with this journal would wait for if it ran now; None if that must be tried.

    It must where there is an answer that the step has not seen, where its time has come, and where it waits for runs
    below it, which are answered there.
    """
    found = [*rows]
    asked = open_questions(found)
    if any(row.kind is JournalKind.ANSWERED for row in found) or any(each.run_id != run_id for each in asked):
        return None
    times = [datetime.fromtimestamp(from_json(row.value), UTC) for row in found if row.key.startswith(TIMER)]
    wake_at = min((time for time in times if time > now), default=None)
    if wake_at is None and (times or not asked):
        return None
    return RunWaiting(run_id, asked, wake_at)


async def load_awake(store: RunReader, run_id: str, now: datetime) -> RunRecord:
    """A run that can go on, as far as can be seen without trying.

    Raises:
        RunNotFound: there is no such run.
        RunWaiting: it waits, none of its questions is answered and it is too early.
        StoreError: the store cannot be read.
    """
    record = await store.load(run_id)
    if record.status is not Status.WAITING:
        return record
    waits = [row for row in await store.calls(run_id) if row.kind in _ASKS or row.key.startswith(TIMER)]
    waiting = [still_waiting(run_id, rows, now) for rows in by_branch(waits).values()]
    asleep = [each for each in waiting if each is not None]
    if asleep and len(asleep) == len(waiting):
        raise all_of(run_id, asleep)
    return record


def pick_question(run_id: str, rows: Sequence[JournalRecord], key: str, digest: str | None) -> JournalRecord:
    """The row of the open question that `key` names, in full or by its last part.

    Raises:
        UserError: there is none, it was answered, or it is about something else than `digest`.
    """
    named = [row for row in rows if row.path == key] or [row for row in rows if row.key == key]
    asked = [row for row in named if row.kind is JournalKind.ASKED]
    if not asked and any(row.kind is JournalKind.ANSWERED for row in named):
        raise UserError(f"question {key!r} of run {run_id!r} was answered already")
    if len(asked) != 1:
        there_are = ", ".join(row.path for row in rows if row.kind is JournalKind.ASKED) or "none"
        raise UserError(f"run {run_id!r} has no open question {key!r}; its open questions: {there_are}")
    if digest is not None and digest != asked[0].digest:
        raise UserError(f"question {key!r} of run {run_id!r} is about something else than what was answered")
    asks = _asks(asked[0])
    if asks not in (None, run_id):
        raise UserError(f"question {key!r} of run {run_id!r} is asked by run {asks!r}: answer it there")
    return asked[0]


def _asks(row: JournalRecord) -> str | None:
    """The run that asks what stands in this row; None if it does not say."""
    match from_json(row.value):
        case {"run_id": str(run_id)}:
            return run_id
        case _:
            return None
