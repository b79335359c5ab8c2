"""The table of a run's life, and the function that applies it."""

from __future__ import annotations

from itertools import product

import pytest

from agentgraph.exceptions import IllegalTransition
from agentgraph.graph.lifecycle import LIFECYCLE, Event, Status, advance

LEGAL = {
    ("pending", "start"): "running",
    ("pending", "cancel"): "cancelled",
    ("running", "claim"): "running",
    ("running", "wait"): "waiting",
    ("running", "finish"): "succeeded",
    ("running", "fail"): "failed",
    ("running", "cancel"): "cancelled",
    ("running", "release"): "pending",
    ("waiting", "start"): "running",
    ("waiting", "cancel"): "cancelled",
    ("failed", "start"): "running",
    ("cancelled", "start"): "running",
}


@pytest.mark.parametrize(("status", "event"), list(product(Status, Event)))
def test_every_pair_of_status_and_event(status: Status, event: Event) -> None:
    if (status, event) in LEGAL:
        assert advance(status, event) == LEGAL[status, event]
    else:
        with pytest.raises(IllegalTransition, match=status) as caught:
            advance(status, event)
        assert caught.value.allowed == tuple(moves for at, moves in LEGAL if at == status)


def test_every_status_has_its_moves() -> None:
    assert set(LIFECYCLE) == set(Status)
