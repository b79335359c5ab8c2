"""What many threads bring, and one takes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from agentgraph.stores.inbox import Inbox


def test_what_is_there_is_not_waited_for() -> None:
    inbox = Inbox[int]()
    inbox.put(1)
    inbox.put(2)
    assert inbox.wait(2, None) == 2
    assert inbox.take() == [1, 2]
    assert inbox.take() == []


@pytest.mark.parametrize("count", [1, 64])
def test_the_last_that_is_waited_for_wakes(count: int) -> None:
    inbox = Inbox[int]()
    with ThreadPoolExecutor(1) as pool:
        there = pool.submit(inbox.wait, count, None)
        for number in range(count):
            assert not there.done()
            inbox.put(number)
        assert there.result() == count
    assert inbox.take() == [*range(count)]
    assert inbox.wait(1, 0.0) == 0  # nobody has rung a second time


def test_who_rings_wakes_although_nothing_came() -> None:
    inbox = Inbox[int]()
    inbox.ring()
    assert inbox.wait(1, None) == 0
