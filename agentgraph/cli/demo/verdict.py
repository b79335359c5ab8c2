"""What the demonstration claims, judged by what it left behind in the two databases. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from agentgraph.cli.errors import FailedError
from agentgraph.graph import RunRecord, Status, StepRecord

from .agent import Resolution
from .database import CallMade, Refund
from .play import Ended, Moment

__all__ = ["Claim", "Evidence", "check", "claims"]

SIGKILLED = -9
TWICE = 2


@dataclass(frozen=True)
class Claim:
    """A sentence, and whether it is true."""

    sentence: str
    holds: bool


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What was left behind."""

    first: Ended
    second: Ended
    moment: Moment
    """How things stood when the first one was killed."""
    run: RunRecord
    steps: Sequence[StepRecord]
    """Without the opening."""
    calls: Sequence[CallMade]
    refunds: Sequence[Refund]
    batch_expected: bool = True
    """Whether the model is known to call several tools at once."""


def check(judged: Sequence[Claim]) -> None:
    """Whether all claims hold.

    Raises:
        FailedError: one does not; names all that do not.
    """
    wrong = [claim.sentence for claim in judged if not claim.holds]
    if wrong:
        raise FailedError(f"the demonstration failed; not true: {'; '.join(wrong)}")


def claims(evidence: Evidence) -> Iterator[Claim]:
    """All that has to be true."""
    first, second = evidence.first, evidence.second
    yield Claim(f"process {first.pid} was killed with SIGKILL", first.exit_code == SIGKILLED)
    yield from _batch(evidence)
    begun, ended = f"process {first.pid} ", f"process {second.pid} "
    owners = [step.owner for step in evidence.steps]
    there = sum(owner.startswith(begun) for owner in owners)
    here = sum(owner.startswith(ended) for owner in owners)
    yield Claim(
        f"the run succeeded: {there} steps in process {first.pid}, {here} in process {second.pid}",
        evidence.run.status is Status.SUCCEEDED and there > 0 and here > 0 and there + here == len(owners),
    )
    yield from _attempts(evidence)
    yield from _refunds(evidence)


def _batch(evidence: Evidence) -> Iterator[Claim]:
    moment = evidence.moment
    made = Counter(call.key for call in evidence.calls)
    if moment.is_within_batch or evidence.batch_expected:
        sentence = f"at that moment {_names(moment.kept)} had ended and {_names(moment.running)} was running"
        yield Claim(sentence, moment.is_within_batch)
    if moment.is_within_batch:
        same = all(made[call.key] == TWICE for call in moment.running)
        yield Claim(f"{_names(moment.running)} was called again, with the same idempotency key", same)
    again = [call for call in (*moment.kept, *moment.committed) if made[call.key] > 1]
    yield Claim(f"no call that had ended was made again{f': {_names(again)}' if again else ''}", not again)


def _attempts(evidence: Evidence) -> Iterator[Claim]:
    attempts = {each.seq: each.attempt for each in evidence.steps if each.attempt > 1}
    yield Claim(f"only step {evidence.moment.step} needed a second attempt", attempts == {evidence.moment.step: TWICE})


def _refunds(evidence: Evidence) -> Iterator[Claim]:
    by_order = Counter(refund.order_id for refund in evidence.refunds)
    orders = ", ".join(str(order) for order in by_order) or "?"
    count = max(by_order.values(), default=0)
    times = "once" if count == 1 else f"{count} times"
    yield Claim(f"order {orders} was refunded {times}, says the shop's database", set(by_order.values()) == {1})
    given = sum(refund.cents for refund in evidence.refunds)
    yield Claim(f"the result says so too: {given} cents", _resolved(evidence.second.result) == given)


def _resolved(result: str | None) -> int | None:
    try:
        return Resolution.model_validate_json(result or "").refunded_cents
    except ValidationError:
        return None


def _names(calls: Sequence[CallMade]) -> str:
    return " and ".join(sorted({call.tool for call in calls})) or "nothing"
