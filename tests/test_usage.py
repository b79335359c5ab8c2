from __future__ import annotations

from copy import deepcopy
from functools import reduce
from operator import add

import pytest
from hypothesis import given, strategies as st

from agentgraph.exceptions import UsageLimitExceeded
from agentgraph.usage import Usage, UsageLimits

counts = st.none() | st.integers(0, 1000)
usages = st.builds(
    Usage,
    st.integers(0, 9),
    counts,
    counts,
    counts,
    st.none() | st.dictionaries(st.sampled_from("abc"), st.integers(0, 9)),
    priced=st.integers(0, 9),
    cost=st.decimals(0, 9, places=4),
)


@given(usages, usages)
def test_adding_makes_a_new_usage_and_incr_changes_one(a: Usage, b: Usage) -> None:
    before = deepcopy((a, b))
    total = a + b
    assert (a, b) == before
    a.incr(b)
    assert a == total
    assert b == before[1]


@given(st.lists(usages, min_size=1, max_size=4))
def test_the_order_of_adding_does_not_matter(parts: list[Usage]) -> None:
    assert reduce(add, parts, Usage()) == reduce(add, reversed(parts), Usage())


@given(usages)
def test_adding_nothing_changes_nothing(usage: Usage) -> None:
    assert usage + Usage() == usage
    assert (Usage() + usage).opentelemetry_attributes() == usage.opentelemetry_attributes()


@given(counts, counts)
def test_unknown_counts_stay_unknown_only_if_both_are(a: int | None, b: int | None) -> None:
    total = (Usage(request_tokens=a) + Usage(request_tokens=b)).request_tokens
    assert total == (None if a is None and b is None else sum(filter(None, (a, b))))


def test_incr_counts_requests_beside() -> None:
    usage = Usage(requests=1)
    usage.incr(Usage(requests=2, response_tokens=3), requests=4)
    assert usage == Usage(requests=7, response_tokens=3)


def test_sums_do_not_share_their_details() -> None:
    first = Usage(details={"a": 1})
    total = first + Usage()
    total.incr(Usage(details={"a": 1}))
    assert (first.details, total.details) == ({"a": 1}, {"a": 2})


def test_opentelemetry_attributes_leave_out_what_is_unknown() -> None:
    usage = Usage(1, 10, None, 10, {"reasoning_tokens": 0})
    assert usage.opentelemetry_attributes() == {
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.details.reasoning_tokens": 0,
    }


def test_fifty_requests_are_allowed_by_default() -> None:
    UsageLimits().check_before_request(Usage(requests=49))
    with pytest.raises(UsageLimitExceeded, match=r"request_limit=50.*50 were made"):
        UsageLimits().check_before_request(Usage(requests=50))


def test_no_limit_allows_any_number() -> None:
    UsageLimits(request_limit=None).check_before_request(Usage(requests=10**9))


@pytest.mark.parametrize(
    ("limits", "full", "name"),
    [
        (UsageLimits(request_tokens_limit=10), Usage(request_tokens=10), "request_tokens"),
        (UsageLimits(response_tokens_limit=10), Usage(response_tokens=10), "response_tokens"),
        (UsageLimits(total_tokens_limit=10), Usage(total_tokens=10), "total_tokens"),
    ],
)
def test_tokens_may_reach_their_limit_but_not_pass_it(limits: UsageLimits, full: Usage, name: str) -> None:
    limits.check_tokens(full)
    limits.check_tokens(Usage())
    with pytest.raises(UsageLimitExceeded, match=f"{name}_limit=10 .*{name}=20"):
        limits.check_tokens(full + full)
    assert limits.has_token_limits()


def test_a_limit_of_requests_is_no_token_limit() -> None:
    assert not UsageLimits(request_limit=1).has_token_limits()
