"""Which nodes of a run are ready: decided from what is pending on each of its branches, without any I/O.

A run begins with the root branch alone. A step that leads to a `Fork` opens a branch for each of its nodes, whose path
begins with the seq of that step: `7:0`, `7:1`, and from within the second `7:1/4:0`, so a fork that is met again in a
loop has new paths. While its branches are open, the branch that forked stands at its `Fork`; when the last one has
ended, it stands at the node that joins their values.

Every operation costs the same however many branches are open.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias, cast

from agentgraph.exceptions import GraphRuntimeError

from .node import AnyFork, BaseNode, BranchError, End, Join, is_fork
from .store import ROOT

__all__ = ["ENDS", "Frontier", "Outcome", "Pending", "branch_path", "parent_of"]

ENDS = (Join, BranchError)
"""How a branch ends."""

Outcome: TypeAlias = BaseNode[Any, Any, Any] | End[Any] | Join[Any] | BranchError  # of any graph


def branch_path(path: str, seq: int, position: int) -> str:
    """The path of a branch that step `seq` of the branch `path` opens."""
    return f"{path}/{seq}:{position}" if path else f"{seq}:{position}"


def parent_of(path: str) -> str:
    """The branch that opened this one."""
    return path.rpartition("/")[0]


class Pending(NamedTuple):
    """What comes next on one branch."""

    seq: int
    outcome: Outcome
    joined: bool = False
    """It is the node that takes the values of a fork."""


@dataclass(slots=True)
class _Open:
    """A fork whose branches have not all ended."""

    fork: AnyFork
    left: int
    """How many have not."""
    running: int = 0
    waiting: deque[str] = field(default_factory=deque[str])
    """The branches that may start, or go on, as soon as the fork's limit allows."""

    @property
    def has_room(self) -> bool:
        return self.fork.limit is None or self.running < self.fork.limit


class Frontier:
    """The open branches of a run."""

    __slots__ = ("_forks", "_known", "_pending", "_ready")

    def __init__(self, seq: int, outcome: Outcome, branches: Mapping[str, Pending] = MappingProxyType({})) -> None:
        self._pending = {ROOT: Pending(seq, outcome)}
        self._forks: dict[str, _Open] = {}
        self._ready: list[str] = []
        self._known = branches
        if is_fork(outcome):
            self._open(ROOT)

    @property
    def root(self) -> Pending:
        """What comes next on the root branch."""
        return self._pending[ROOT]

    def pending(self, path: str) -> Pending:
        """What comes next on a branch."""
        return self._pending[path]

    def branches(self, path: str) -> list[str]:
        """The branches of the fork at which `path` stands, in their order; none where it stands at no fork."""
        pending = self._pending[path]
        if not is_fork(pending.outcome):
            return []
        return [branch_path(path, pending.seq - 1, position) for position in range(len(pending.outcome.branches))]

    def start(self) -> list[str]:
        """The branches that may run now and do not yet; from now on they do. The root comes when its fork is joined."""
        started = [path for path in self._ready if path in self._pending]
        self._ready.clear()
        return started

    def after(self, path: str, outcome: Outcome) -> None:
        """The pending step of `path` has led to `outcome`, which is its end where it is a `Join` or `BranchError`."""
        if path in self._forks:
            self._drop_below(path)
        self._pending[path] = Pending(self._pending[path].seq + 1, outcome)
        if is_fork(outcome):
            self._open(path)
        elif isinstance(outcome, ENDS):
            self._ended(path)

    def again(self, path: str, node: BaseNode[Any, Any, Any]) -> None:
        """The pending step of `path` is begun anew, with `node`, which is like the one that was pending."""
        self._pending[path] = self._pending[path]._replace(outcome=node)

    def park(self, path: str) -> None:
        """A branch waits for an answer: others may run in its place."""
        above = parent_of(path)
        opened = self._forks[above]
        opened.running -= 1
        self._fill(opened)
        if opened.running == 0 and above != ROOT:
            self.park(above)

    def collected(self, path: str) -> str | None:
        """The branch that ends with a `BranchError` if `path` fails: itself or one around it; None: the run fails."""
        while path != ROOT:
            if self._forks[parent_of(path)].fork.on_error == "collect":
                return path
            path = parent_of(path)
        return None

    def below(self, path: str) -> list[str]:
        """All open branches inside `path`."""
        inside = [branch for branch in self.branches(path) if branch in self._pending]
        return [each for branch in inside for each in (branch, *self.below(branch))]

    def _open(self, path: str) -> None:
        """Open the branches of the fork at `path`; those that are known already stand where they stood."""
        fork = self._pending[path].outcome
        assert is_fork(fork)
        paths = self.branches(path)
        for branch, node in zip(paths, fork.branches, strict=True):
            self._pending[branch] = self._known.get(branch) or Pending(0, node)
        going = [branch for branch in paths if not isinstance(self._pending[branch].outcome, ENDS)]
        opened = self._forks[path] = _Open(fork, left=len(going))
        if not going:
            self._join(path)
            return
        opened.waiting.extend(sorted(going, key=lambda branch: self._pending[branch].seq == 0))  # begun ones first
        self._fill(opened)

    def _fill(self, opened: _Open) -> None:
        while opened.waiting and opened.has_room:
            path = opened.waiting.popleft()
            opened.running += 1
            if is_fork(self._pending[path].outcome):
                self._open(path)  # its branches go on for it
            else:
                self._ready.append(path)

    def _ended(self, path: str) -> None:
        above = parent_of(path)
        opened = self._forks[above]
        opened.left -= 1
        if opened.left == 0:
            self._join(above)
        else:
            self.park(path)  # the others that are left may all wait

    def _join(self, path: str) -> None:
        """Let the branch that forked go on with the node that takes the values."""
        pending, opened = self._pending[path], self._forks[path]
        values = [_value(self._pending[branch].outcome) for branch in self.branches(path)]
        self._drop_below(path)
        self._pending[path] = Pending(pending.seq, _joined(opened.fork, values), joined=True)
        self._ready.append(path)

    def _drop_below(self, path: str) -> None:
        for branch in self.below(path):
            del self._pending[branch]
            self._forks.pop(branch, None)
        self._forks.pop(path, None)


def _value(outcome: Outcome) -> Any:  # of whatever type the branch joins with
    return outcome.value if isinstance(outcome, Join) else outcome


def _joined(fork: AnyFork, values: Iterable[Any]) -> BaseNode[Any, Any, Any]:
    # A dataclass whose first field takes a list, which the checks of the graph have seen to.
    make = cast("Callable[[list[Any]], BaseNode[Any, Any, Any]]", fork.join)
    try:
        made = make([*values])
    except TypeError as error:
        message = f"{fork.join.__name__} does not take the values of its branches, a list, as its first field: {error}"
        raise GraphRuntimeError(message) from error
    return made
