"""Which branches may run: those that are open, so many at once as their fork allows, in the order of the fork."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given, strategies as st

from agentgraph.exceptions import GraphRuntimeError, UserError
from agentgraph.graph import BaseNode, BranchError, End, Fork, GraphRunContext, Join
from agentgraph.graph.frontier import Frontier, Pending, parent_of


@dataclass
class Branch(BaseNode):
    number: int = 0

    async def run(self, ctx: GraphRunContext) -> Join[int]:
        return Join(self.number)


@dataclass
class Gather(BaseNode[None, None, int]):
    values: list[object]

    async def run(self, ctx: GraphRunContext) -> End[int]:
        return End(len(self.values))


@dataclass
class Nothing(BaseNode[None, None, int]):
    async def run(self, ctx: GraphRunContext) -> End[int]:
        return End(0)


def forked(count: int, limit: int | None = None) -> Fork[Branch, Gather]:
    return Fork([Branch(number) for number in range(count)], join=Gather, limit=limit)


def test_a_fork_opens_its_branches_and_joins_their_values_in_order() -> None:
    frontier = Frontier(0, Nothing())
    frontier.after("", forked(3))
    assert frontier.start() == ["0:0", "0:1", "0:2"]
    frontier.after("0:2", Join("c"))
    frontier.after("0:0", Join("a"))
    assert frontier.start() == []
    frontier.after("0:1", BranchError("0:1", "ValueError", "no"))
    assert frontier.start() == [""]
    assert frontier.root == Pending(1, Gather(["a", BranchError("0:1", "ValueError", "no"), "c"]), joined=True)


def test_a_fork_of_no_branches_joins_at_once() -> None:
    frontier = Frontier(0, forked(0))
    assert frontier.root.outcome == Gather([])
    assert frontier.start() == [""]


def test_a_limit_lets_the_next_branch_in_when_one_ends_or_waits() -> None:
    frontier = Frontier(1, forked(4, limit=2))
    assert frontier.start() == ["0:0", "0:1"]
    frontier.park("0:0")
    assert frontier.start() == ["0:2"]
    frontier.after("0:1", Branch(9))
    assert frontier.start() == []
    frontier.after("0:1", Join(1))
    assert frontier.start() == ["0:3"]


def test_a_branch_whose_branches_all_wait_waits_itself() -> None:
    frontier = Frontier(1, forked(2, limit=1))
    frontier.start()
    frontier.after("0:0", forked(2))
    assert frontier.start() == ["0:0/0:0", "0:0/0:1"]
    frontier.park("0:0/0:1")
    assert frontier.start() == []
    frontier.after("0:0/0:0", Join(1))
    assert frontier.start() == ["0:1"]


def test_known_branches_go_on_where_they_stood_the_begun_ones_first() -> None:
    known = {"0:0": Pending(0, Branch(0)), "0:1": Pending(2, Join(7)), "0:2": Pending(1, Branch(5))}
    frontier = Frontier(1, forked(3, limit=1), known)
    assert frontier.start() == ["0:2"]
    assert frontier.pending("0:2") == Pending(1, Branch(5))
    frontier.after("0:2", Join(8))
    assert frontier.start() == ["0:0"]
    frontier.after("0:0", Join(6))
    assert frontier.root.outcome == Gather([6, 7, 8])


def test_an_error_goes_to_the_innermost_fork_that_collects() -> None:
    outer = Fork([Branch()], join=Gather, on_error="collect")
    frontier = Frontier(1, outer)
    frontier.start()
    frontier.after("0:0", forked(1))
    assert frontier.collected("0:0/0:0") == "0:0"
    assert frontier.below("0:0") == ["0:0/0:0"]
    assert Frontier(1, forked(1)).collected("0:0") is None


def test_a_join_that_takes_no_values() -> None:
    frontier = Frontier(1, Fork([Branch()], join=Nothing))
    frontier.start()
    with pytest.raises(GraphRuntimeError, match="Nothing does not take the values of its branches"):
        frontier.after("0:0", Join(1))


def test_a_limit_that_lets_nothing_run() -> None:
    with pytest.raises(UserError, match="limit=0 never runs a branch"):
        forked(1, limit=0)


@given(st.integers(0, 10**6), st.lists(st.integers(1, 3), min_size=1, max_size=5), st.integers(0, 3))
def test_no_fork_runs_more_than_its_limit_and_all_end(seed: int, limits: Sequence[int], depth: int) -> None:
    random = Random(seed)
    frontier = Frontier(1, Fork([Branch(i) for i in range(4)], join=Gather, limit=limits[0]))
    allowed, running = {"": limits[0]}, set[str]()
    while not isinstance(frontier.root.outcome, Gather):
        running |= {*frontier.start()}
        for path, limit in allowed.items():
            inside = {each.removeprefix(f"{path}/").partition("/")[0] for each in running if _is_inside(each, path)}
            assert len(inside) <= limit
        path = random.choice(sorted(running))
        running.discard(path)
        if path.count("/") < depth and random.random() < 0.5:
            allowed[path] = random.choice(limits)
            branches = [Branch(i) for i in range(random.randint(0, 3))]
            frontier.after(path, Fork(branches, join=Gather, limit=allowed[path]))
        elif random.random() < 0.3:
            frontier.after(path, Branch())
            running.add(path)
        else:
            frontier.after(path, Join(path))
            allowed.pop(path, None)
    assert len(frontier.root.outcome.values) == 4


def _is_inside(path: str, above: str) -> bool:
    while path:
        path = parent_of(path)
        if path == above:
            return True
    return False
