"""Limits of queues that this process alone serves."""

from __future__ import annotations

from collections import Counter, deque

import pytest
from hypothesis import given, strategies as st

from agentgraph.distributed import Limits, Rate
from agentgraph.distributed.admission import Admission
from agentgraph.exceptions import UserError
from agentgraph.graph import Dispatch

LIMITS = Limits(concurrency=5, per_tenant=2, rate=Rate(10, 2.0), rate_per_tenant=Rate(4, 2.0))


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.floats(0, 0.5, allow_nan=False), st.booleans()), min_size=10, max_size=80
    )
)
def test_whatever_comes_and_goes_no_limit_is_exceeded(moves: list[tuple[str, float, bool]]) -> None:
    admission = Admission({"q": LIMITS})
    now, running, begun = 0.0, deque[str](), list[tuple[str, float]]()
    for tenant, passes, ends in moves:
        now += passes
        if ends and running:
            admission.leave(Dispatch(queue="q", tenant=running.popleft()))
        elif admission.admit(Dispatch(queue="q", tenant=tenant), now):
            running.append(tenant)
            begun.append((tenant, now))
        of_tenants = Counter(running)
        recent = Counter(each for each, at in begun if at > now - 2.0)
        assert len(running) <= 5
        assert max(of_tenants.values(), default=0) <= 2
        assert recent.total() <= 10
        assert max(recent.values(), default=0) <= 4


def test_queues_do_not_count_for_each_other() -> None:
    admission = Admission({"q": Limits(per_worker=1)})
    assert [admission.admit(Dispatch(queue=queue), 0.0) for queue in "qqr"] == [True, False, True]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Limits(concurrency=0),
        lambda: Limits(per_worker=-1),
        lambda: Limits(poll=0),
        lambda: Limits(concurrency=2, per_tenant=3),
        lambda: Rate(0),
        lambda: Rate(1, 0.0),
    ],
)
def test_limits_that_make_no_sense_are_refused(wrong: type[Limits]) -> None:
    with pytest.raises(UserError):
        wrong()
