"""Walks the open branches of a run side by side, until their values are joined.

One task walks one branch, from node to node, until that ends, forks further, waits for an answer or fails; which
branches are walked is the frontier's to say. A failure goes to the innermost fork around it that collects errors: what
is left of that fork's branch is cancelled, and the branch has ended. Where no fork collects, everything is cancelled,
and the failure is the run's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import Generic

import anyio
from anyio.abc import TaskGroup
from typing_extensions import TypeVar

from agentgraph.concurrency import lone_error
from agentgraph.exceptions import (
    GraphRuntimeError,
    RunCancelled,
    RunError,
    RunFenced,
    RunPaused,
    RunWaiting,
    StoreError,
)

from .breakpoints import heed_breakpoint
from .codec import RestoredBranch
from .frontier import Frontier, parent_of
from .journal import Journal
from .lifecycle import Status
from .node import Join, is_fork
from .questions import Question, all_of, by_branch, still_waiting
from .store import ROOT, JournalKind, JournalRecord
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
        self._waiting: dict[str, RunWaiting] = {}
        self._paused: dict[str, object] = {}
        self._ready: list[str] = []
        self._one_turn = self._taken = False
        self._rows = by_branch(rows)
        self._asked = {row.branch for row in rows if row.kind is JournalKind.ASKED}
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
            questions = all_of(ctx.run_id, [self._waiting[path]]).questions
            rows += [each.row(ctx.run_id, ctx.seq, path) for each in questions if isinstance(each, Question)]
        return rows

    async def walk(self, *, one_turn: bool = False) -> None:
        """Go on until the root stands at the node that joins its branches, or one branch has taken `one_turn`.

        Raises:
            RunPaused: branches stand at breakpoints, and the others, if any are left, wait for answers.
            RunWaiting: branches wait for answers or for a time, and nothing else is left to do.
            Exception: what failed a branch, and so the run.
        """
        self._one_turn = one_turn
        with lone_error():
            async with anyio.create_task_group() as tasks:
                self._go_on(tasks)
        if self._failure is not None:
            raise self._failure
        if self._taken or self._paused:
            await self._keep_questions()
        if self._taken:
            return
        if self._paused:
            raise RunPaused(self._strands[ROOT].ctx.run_id, dict(sorted(self._paused.items())))
        if self._waiting:
            raise all_of(self._strands[ROOT].ctx.run_id, [self._waiting[path] for path in sorted(self._waiting)])

    def _go_on(self, tasks: TaskGroup) -> None:
        if self._failure is not None or self._taken:
            return
        self._ready += [path for path in self._frontier.start() if path != ROOT]
        for path in self._next():
            if parent_of(path) != ROOT:
                self._scopes[path] = anyio.CancelScope()
            tasks.start_soon(self._walk, path, tasks)

    def _next(self) -> list[str]:
        """The branches to begin with now: all that are ready, or the one whose turn it is."""
        ready, self._ready = self._ready, []
        if not self._one_turn or not ready:
            return ready
        first = min(ready, key=lambda path: (path in self._asked, self._frontier.pending(path).seq))
        self._ready = [path for path in ready if path != first]
        return [first]

    async def _walk(self, path: str, tasks: TaskGroup) -> None:
        failure: Exception | None = None
        with self._scopes.get(path) or nullcontext() as scope:
            try:
                cancelled = self._failure is not None or (scope is not None and scope.cancel_called)
                if not cancelled:  # before this task was there
                    await self._take_turns(path)
            except RunPaused as paused:
                self._paused |= paused.nodes
                self._frontier.park(path)
            except RunWaiting as waiting:
                self._waiting[path] = waiting
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
        if self._one_turn:
            self._check_answered(strand)
        try:
            while is_node(node) and not is_fork(node) and not self._taken:
                await heed_breakpoint(node, strand.ctx)
                node = await strand.take_turn(node)
                self._taken = self._one_turn
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
                await strand.fail(error)
                self._taken = self._one_turn
                self._check(strand)
            except (RunError, StoreError) as refusal:
                await self._fail(branch, refusal, tasks)
            for gone in [each for each in self._strands if each == branch or each.startswith(f"{branch}/")]:
                del self._strands[gone]
                self._waiting.pop(gone, None)
                self._paused.pop(gone, None)

    async def _cancel_below(self, branch: str) -> None:
        while inside := [scope for path, scope in self._scopes.items() if path.startswith(f"{branch}/")]:
            for scope in inside:
                scope.cancel()
            self._ended = anyio.Event()
            await self._ended.wait()

    async def _keep_questions(self) -> None:
        """Write what was asked, though the run does not go to sleep for it."""
        for row in self.asked:
            journal = self._strands[row.branch].ctx.journal
            if journal.row(row.key, row.digest) is None:  # else it was asked before, and may be answered by now
                with suppress(StoreError, RunFenced):  # it is asked again
                    await journal.note(row.kind, row.key, row.digest, row.value)

    def _check_answered(self, strand: Strand[StateT, DepsT, ResultT]) -> None:
        """Let a branch wait on, without a turn, that was not answered, or whose time has not come."""
        waiting = still_waiting(strand.ctx.run_id, self._rows.get(strand.path, ()), strand.ctx.now())
        if waiting is not None:
            raise waiting

    def _check(self, strand: Strand[StateT, DepsT, ResultT]) -> None:
        if strand.status is Status.CANCELLED:
            raise RunCancelled(strand.ctx.run_id)
