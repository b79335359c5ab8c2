"""Records of an encrypted store as they were before `sealing.py`."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pydantic_core import from_json

from agentgraph.graph.store import BranchRecord, EventRecord, JournalKind, JournalRecord, RunRecord, StepRecord

from .envelopes import Envelope, from_text, place_of_branch, place_of_call, place_of_event, place_of_step
from .sealing import TEXT

__all__ = ["Unsealer"]


@dataclass(frozen=True)
class Unsealer:
    """Opens what comes out of a store; raises `StoreError` as `Envelope.open` does."""

    envelope: Envelope

    def run(self, run: RunRecord) -> RunRecord:
        run_id = run.run_id
        return replace(
            run,
            state=self.envelope.open(run.state, "run", run_id, "state"),
            options=self.envelope.open(run.options, "run", run_id, "options"),
            error=None if run.error is None else self._text(run_id, run.error),
        )

    def step(self, run_id: str, step: StepRecord) -> StepRecord:
        place = place_of_step(run_id, step.branch, step.seq)
        return replace(
            step,
            body=self.envelope.open(step.body, *place, "body"),
            state=self.envelope.open(step.state, *place, "state"),
        )

    def call(self, run_id: str, row: JournalRecord) -> JournalRecord:
        value = row.value
        if row.kind in (JournalKind.ASKED, JournalKind.ANSWERED):
            value = _sealed_in(value)
        digest, _, value = self.envelope.open(value, *place_of_call(run_id, row, row.kind)).partition(b"\n")
        return replace(row, digest=digest.decode(), value=value)

    def branch(self, run_id: str, branch: BranchRecord) -> BranchRecord:
        place = place_of_branch(run_id, branch.branch, branch.seq)
        return replace(branch, state=self.envelope.open(branch.state, *place))

    def event(self, run_id: str, event: EventRecord) -> EventRecord:
        return replace(event, body=self.envelope.open(event.body, *place_of_event(run_id, event)))

    def _text(self, run_id: str, text: str) -> str:
        sealed = from_text(text.removeprefix(TEXT)) if text.startswith(TEXT) else b""
        return self.envelope.open(sealed, "run", run_id, "error").decode(errors="surrogatepass")


def _sealed_in(value: bytes) -> bytes:
    try:
        match from_json(value):
            case {"sealed": str(sealed)}:
                return from_text(sealed)
            case _:
                return b""
    except ValueError:
        return b""
