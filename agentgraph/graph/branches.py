"""Walks the open branches of a run side by side, until their values are joined.

One task walks one branch, from node to node, until that ends, forks further, waits for an answer or fails; which
branches are walked is the frontier's to say. A failure goes to the innermost fork around it that collects errors: what
is left of that fork's branch is cancelled, and the branch has ended. Where no fork collects, everything is cancelled,
and the failure is the run's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Generic

import anyio
from anyio.abc import TaskGroup
from typing_extensions import TypeVar

from agentgraph.concurrency import lone_error
from agentgraph.exceptions import GraphRuntimeError, RunCancelled, RunError, RunWaiting, StoreError

from .codec import RestoredBranch
from .frontier import Frontier, parent_of
from .journal import Journal
from .lifecycle import Status
from .node import BranchError, Join, is_fork
from .questions import Question
from .store import ROOT, JournalRecord
from .strand import Strand, is_node

__all__ = ["Branches"]

StateT = TypeVar("StateT", default=None)
DepsT = TypeVar("DepsT", default=None)
ResultT = TypeVar("ResultT", default=None)

_OF_THE_RUN = (RunError, StoreError, GraphRuntimeError)
"""Errors that say something about the run, not about a branch: no join is handed one."""


class Branches(Generic[StateT, DepsT, ResultT]):
    """The branches that are open while the root stands at a fork. Used once, by one task."""

    def __init__(
        self,
        root: Strand[StateT, DepsT, ResultT],
        known: Mapping[str, RestoredBranch] | None = None,
        rows: Sequence[JournalRecord] = (),
    ) -> None:
        self._strands = {ROOT: root}
        self._frontier: Frontier = root.frontier
        self._scopes: dict[str, anyio.CancelScope] = {}
        """Of what is walked inside of branches. The branches of the root are only ever cancelled all together."""
        self._ended = anyio.Event()
        self._failing: set[str] = set()
        self._failure: Exception | None = None
        self._waiting: dict[str, list[Question]] = {}
        for path, branch in (known or {}).items():
            if branch.ledger is not None:  # else it has ended
                above = self._strands[parent_of(path)]
                self._strands[path] = above.branch(path, branch.state, branch.pending.seq, rows)

    @property
    def journals(self) -> list[Journal]:
        """Of every branch."""
        return [strand.ctx.journal for strand in self._strands.values()]

    @property
    def asked(self) -> list[JournalRecord]:
        """What the branches wait for, as the journal has it."""
        rows: list[JournalRecord] = []
        for path in sorted(self._waiting):
            ctx = self._strands[path].ctx
            rows += [question.row(ctx.run_id, ctx.seq, path) for question in self._waiting[path]]
        return rows

    async def walk(self) -> None:
        """Go on until the root stands at the node that joins its branches.

        Raises:
            RunWaiting: branches wait for answers, and nothing else is left to do.
            Exception: what failed a branch, and so the run.
        """
        with lone_error():
            async with anyio.create_task_group() as tasks:
                self._go_on(tasks)
        if self._failure is not None:
            raise self._failure
        if self._waiting:
            questions = [question for path in sorted(self._waiting) for question in self._waiting[path]]
            raise RunWaiting(self._strands[ROOT].ctx.run_id, questions)

    def _go_on(self, tasks: TaskGroup) -> None:
        if self._failure is not None:
            return
        for path in self._frontier.start():
            if parent_of(path) != ROOT:
                self._scopes[path] = anyio.CancelScope()
            if path != ROOT:
                tasks.start_soon(self._walk, path, tasks)

    async def _walk(self, path: str, tasks: TaskGroup) -> None:
        failure: Exception | None = None
        with self._scopes.get(path) or nullcontext() as scope:
            try:
                cancelled = self._failure is not None or (scope is not None and scope.cancel_called)
                if not cancelled:  # before this task was there
                    await self._take_turns(path)
            except RunWaiting as waiting:
                self._waiting[path] = [each for each in waiting.questions if isinstance(each, Question)]
                self._frontier.park(path)
            except Exception as error:  # noqa: BLE001 - the forks around it decide what becomes of it
                failure = error
            finally:
                self._scopes.pop(path, None)
                self._ended.set()
        if failure is not None:
            await self._fail(path, failure, tasks)
        self._go_on(tasks)

    async def _take_turns(self, path: str) -> None:
        strand = self._strands.get(path)
        if strand is None:
            strand = self._strands[path] = self._strands[parent_of(path)].open(path)
        node = strand.pending
        try:
            while is_node(node) and not is_fork(node):
                node = await strand.take_turn(node)
                self._check(strand)
        except BaseException as error:
            if not isinstance(error, StoreError | RunError):
                await self._keep(strand)
            raise
        if isinstance(node, Join):
            del self._strands[path]

    async def _keep(self, strand: Strand[StateT, DepsT, ResultT]) -> None:
        """Commit a step that ends in the middle, if its node says what it came to."""
        node = strand.pending
        kept = node.interrupted(strand.ctx) if is_node(node) else None
        if kept is not None:
            await strand.lead_to(kept, Status.RUNNING)

    async def _fail(self, path: str, error: Exception, tasks: TaskGroup) -> None:
        branch = None if isinstance(error, _OF_THE_RUN) else self._frontier.collected(path)
        if branch is None:
            self._failure = self._failure or error
            tasks.cancel_scope.cancel()
        elif branch not in self._failing:
            self._failing.add(branch)
            await self._cancel_below(branch)
            strand = self._strands[branch]
            try:
                await strand.lead_to(BranchError(branch, type(error).__name__, str(error)))
                self._check(strand)
            except (RunError, StoreError) as refusal:
                await self._fail(branch, refusal, tasks)
            for gone in [each for each in self._strands if each == branch or each.startswith(f"{branch}/")]:
                del self._strands[gone]
                self._waiting.pop(gone, None)

    async def _cancel_below(self, branch: str) -> None:
        while inside := [scope for path, scope in self._scopes.items() if path.startswith(f"{branch}/")]:
            for scope in inside:
                scope.cancel()
            self._ended = anyio.Event()
            await self._ended.wait()

    def _check(self, strand: Strand[StateT, DepsT, ResultT]) -> None:
        if strand.status is Status.CANCELLED:
            raise RunCancelled(strand.ctx.run_id)
