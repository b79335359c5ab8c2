"""A demonstration that went wrong says so."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import pytest

from agentgraph.cli.demo.agent import Resolution
from agentgraph.cli.demo.database import CallMade, Refund
from agentgraph.cli.demo.play import Ended, Moment
from agentgraph.cli.demo.verdict import Claim, Evidence, check, claims
from agentgraph.cli.errors import FailedError
from agentgraph.graph import RunRecord, Status, StepRecord

REFUNDED = CallMade("run/1/0", "refund_order", 1)
HANDED = CallMade("run/1/1", "escalate", 1)
AGAIN = CallMade("run/1/1", "escalate", 2)
RESULT = Resolution(ticket_id=7, outcome="refunded", refunded_cents=500, reply="done").model_dump_json()


def step(seq: int, pid: int, attempt: int = 1) -> StepRecord:
    return StepRecord(seq=seq, node="N", outcome="N", body=b"", owner=f"process {pid} on here", attempt=attempt)


def run(status: Status = Status.SUCCEEDED) -> RunRecord:
    return RunRecord(run_id="run", graph="agent", status=status, epoch=2, seq=3, attempt=1, state=b"{}", pending="End")


GOOD = Evidence(
    first=Ended(pid=1, exit_code=-9),
    second=Ended(pid=2, result=RESULT),
    moment=Moment(step=1, refunded=True, kept=(REFUNDED,), running=(HANDED,)),
    run=run(),
    steps=[step(0, 1), step(1, 2, attempt=2)],
    calls=[REFUNDED, HANDED, AGAIN],
    refunds=[Refund(1, 102, 500, "broken")],
)


@dataclass(frozen=True)
class Wrong:
    """A change of the evidence, and the claim that fails by it."""

    changes: dict[str, Any]  # Any: fields of Evidence
    claim: str


WRONG = [
    Wrong({"first": Ended(pid=1, exit_code=0)}, "killed with SIGKILL"),
    Wrong({"moment": Moment(step=1, refunded=True, kept=(REFUNDED, HANDED))}, "nothing was running"),
    Wrong({"calls": [REFUNDED, HANDED]}, "escalate was called again"),
    Wrong({"calls": [REFUNDED, REFUNDED, HANDED, AGAIN]}, "was made again: refund_order"),
    Wrong({"run": run(Status.FAILED)}, "the run succeeded"),
    Wrong({"steps": [step(0, 2), step(1, 2, attempt=2)]}, "the run succeeded"),
    Wrong({"steps": [step(0, 1), step(1, 2)]}, "second attempt"),
    Wrong({"refunds": [Refund(1, 102, 500, "a"), Refund(2, 102, 500, "a")]}, "refunded 2 times"),
    Wrong({"refunds": []}, "refunded 0 times"),
    Wrong({"second": Ended(pid=2, result=RESULT.replace("500", "400"))}, "the result says so too"),
    Wrong({"second": Ended(pid=2)}, "the result says so too"),
]


def test_all_claims_hold_where_all_went_well() -> None:
    assert [claim.sentence for claim in claims(GOOD) if not claim.holds] == []


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: str(wrong.claim))
def test_what_went_wrong_is_found(wrong: Wrong) -> None:
    failed = [claim.sentence for claim in claims(dataclasses.replace(GOOD, **wrong.changes)) if not claim.holds]
    assert any(wrong.claim in sentence for sentence in failed)


def test_one_false_claim_is_a_failure() -> None:
    check([Claim("the sun shines", holds=True)])
    with pytest.raises(FailedError) as failed:
        check([Claim("the sun shines", holds=True), Claim("it is warm", holds=False)])
    assert failed.value.message == "the demonstration failed; not true: it is warm"


def test_a_model_that_calls_one_tool_at_a_time_is_not_held_to_a_batch() -> None:
    moment = Moment(step=1, refunded=True, committed=(REFUNDED,))
    judged = claims(dataclasses.replace(GOOD, moment=moment, batch_expected=False))
    assert [claim.sentence for claim in judged if not claim.holds] == []
