"""Records with their payloads encrypted, each bound to its run, its row and its field; `unsealing.py` leads back.

What a store has to read stays readable: ids, nodes, status, times, counters, and which run asks a question. The digest
of a call would let its arguments be guessed, so it is encrypted with the value and replaced by one that needs the key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

from pydantic_core import from_json, to_json

from agentgraph.graph.store import (
    ROOT,
    BranchRecord,
    Commit,
    EventRecord,
    JournalKind,
    JournalRecord,
    NewRun,
    Settlement,
    StepRecord,
    StoredRun,
)

from .envelopes import Envelope, about, as_text, place_of_branch, place_of_call, place_of_event, place_of_step

__all__ = ["TEXT", "Sealer"]

TEXT = "sealed:"
"""What text begins with that was sealed."""


@dataclass(frozen=True)
class Sealer:
    """Seals what goes into a store."""

    envelope: Envelope

    def new_run(self, run: NewRun) -> NewRun:
        run_id = run.run_id
        return replace(
            run,
            opening=None if run.opening is None else self.step(run_id, run.opening),
            state=self.of_run(run_id, "state", run.state),
            options=self.of_run(run_id, "options", run.options),
            calls=self.calls(run_id, run.calls),
            branches=self._branches(run_id, run.branches),
        )

    def commit(self, commit: Commit) -> Commit:
        run_id, step = commit.run_id, commit.step
        return replace(
            commit,
            step=self.step(run_id, step),
            state=self.of_run(run_id, "state", commit.state)
            if step.branch == ROOT
            else self.envelope.seal(commit.state, *place_of_branch(run_id, step.branch, step.seq + 1)),
            calls=self.calls(run_id, commit.calls),
            opens=self._branches(run_id, commit.opens),
        )

    def settlement(self, settlement: Settlement, known: Mapping[str, tuple[str, str]]) -> Settlement:
        """`known`: of the rows that are there, by their paths, the digest and the one that stands for it.

        A question is known again by the latter, which another key would have made another.
        """
        run_id = settlement.run_id
        questions = [(row, self.call(run_id, row), known.get(row.path, ("", ""))) for row in settlement.questions]
        return replace(
            settlement,
            error=self.text(run_id, settlement.error),
            journal=self.calls(run_id, settlement.journal),
            questions=[
                replace(sealed, digest=stands) if row.digest == digest else sealed
                for row, sealed, (digest, stands) in questions
            ],
        )

    def stored(self, stored: StoredRun) -> StoredRun:
        run = stored.run
        return replace(
            stored,
            run=replace(
                run,
                state=self.of_run(run.run_id, "state", run.state),
                options=self.of_run(run.run_id, "options", run.options),
                error=self.text(run.run_id, run.error),
            ),
            steps=[self.step(run.run_id, step) for step in stored.steps],
            calls=self.calls(run.run_id, stored.calls),
            branches=self._branches(run.run_id, stored.branches),
        )

    def step(self, run_id: str, step: StepRecord) -> StepRecord:
        place = place_of_step(run_id, step.branch, step.seq)
        return replace(
            step,
            body=self.envelope.seal(step.body, *place, "body"),
            state=self.envelope.seal(step.state, *place, "state"),
        )

    def calls(self, run_id: str, rows: Iterable[JournalRecord]) -> list[JournalRecord]:
        return [self.call(run_id, row) for row in rows]

    def call(self, run_id: str, row: JournalRecord) -> JournalRecord:
        stands = sha256(
            self.envelope.cipher.encrypt(row.digest.encode(), about("digest", run_id, row.path))
        ).hexdigest()[:32]
        sealed = self.envelope.seal(row.digest.encode() + b"\n" + row.value, *place_of_call(run_id, row, row.kind))
        match row.kind:
            case JournalKind.ASKED:
                value = to_json({**_asker(row.value), "sealed": as_text(sealed)})
            case JournalKind.ANSWERED:
                value = to_json({"sealed": as_text(sealed)})
            case _:
                value = sealed
        return replace(row, digest=stands, value=value)

    def event(self, run_id: str, event: EventRecord) -> EventRecord:
        return replace(event, body=self.envelope.seal(event.body, *place_of_event(run_id, event)))

    def answer(self, run_id: str, asked: JournalRecord, value: object) -> object:
        """What a store is given as the answer to a question, which it turns into JSON."""
        data = asked.digest.encode() + b"\n" + to_json(value)
        sealed = self.envelope.seal(data, *place_of_call(run_id, asked, JournalKind.ANSWERED))
        return {"sealed": as_text(sealed)}

    def _branches(self, run_id: str, branches: Iterable[BranchRecord]) -> list[BranchRecord]:
        return [
            replace(each, state=self.envelope.seal(each.state, *place_of_branch(run_id, each.branch, each.seq)))
            for each in branches
        ]

    def of_run(self, run_id: str, field: str, data: bytes) -> bytes:
        return self.envelope.seal(data, "run", run_id, field)

    def text(self, run_id: str, text: str | None) -> str | None:
        if text is None:
            return None
        sealed = self.envelope.seal(text.encode(errors="surrogatepass"), "run", run_id, "error")
        return TEXT + as_text(sealed)


def _asker(value: bytes) -> Mapping[str, str]:
    """Which run asks, for the store to send an answer there."""
    match from_json(value):
        case {"run_id": str(run_id)}:
            return {"run_id": run_id}
        case _:
            return {}
