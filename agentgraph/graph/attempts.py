"""The turn of a node whose class says how often it may try, and how long.

An attempt that ends with an error leaves nothing behind but what it journaled. What its journal held back is written
first, together with a count, so that no two attempts of a step ever have the same number, whatever process takes
them. The next attempt begins, after a while, as a resumed run would: with the state and the node as they were, and
with what the journal has by then.
"""

from __future__ import annotations

import copy
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import anyio
from pydantic_core import from_json, to_json

from agentgraph.exceptions import NodeTimeout

from .context import GraphRunContext
from .events import StepStarted
from .frontier import Frontier, Outcome
from .journal import Journal
from .ledger import Node
from .policies import Policy
from .recorder import Recorder
from .retrying import RetryPolicy
from .stated import rewindable
from .store import JournalKind

__all__ = ["Attempts", "retries"]

_RETRIES = "agentgraph: retries"
"""The key of the note that counts them."""


@dataclass(frozen=True)
class Attempts:
    """Of one branch, with one policy."""

    policy: Policy
    ctx: GraphRunContext[Any, Any]
    frontier: Frontier
    recorder: Recorder | None
    lists: Collection[str]
    """The fields of the state that are stored by items."""

    async def take(self, node: Node) -> Outcome:
        """Run the node until an attempt does not fail, or its policy allows no further one.

        Raises:
            Exception: what the last attempt raised.
        """
        retry = self.policy.retry
        if retry is None:
            return await self._timed(node)
        ctx, tried = self.ctx, 1
        if self.recorder is not None:
            self.recorder.adopt_lists(ctx.branch, ctx.state)
        state, before = rewindable(ctx.state, self.lists), copy.deepcopy(node)
        while True:
            try:
                return await self._timed(node)
            except Exception as error:
                if not self._may_go_on(retry, error, tried):
                    raise
                # Where nothing is or will be written, nothing was asked: there is no answer to look for.
                alone = not ctx.journal.written and not ctx.journal.held()
                await self._note(error)
            await ctx.clock.sleep(retry.wait(tried))
            tried += 1
            node = copy.deepcopy(before)
            await self._begin(rewindable(state, self.lists), node, reread=not alone)

    async def _timed(self, node: Node) -> Outcome:
        seconds, rate = self.policy.timeout, self.policy.rate
        if rate is not None:
            await rate.wait(self.ctx.clock)
            self.ctx.interruption.check(self.ctx.seq)
        if seconds is None:
            return await node.run(self.ctx)
        with anyio.move_on_after(seconds):
            return await node.run(self.ctx)
        raise NodeTimeout(self.ctx.run_id, self.ctx.seq, node.get_node_id(), seconds)

    def _may_go_on(self, retry: RetryPolicy, error: Exception, tried: int) -> bool:
        if not retry.covers(error):
            return False
        if tried == retry.attempts:
            error.add_note(f"the last of {tried} attempts that its `retry` allows")
            return False
        return True

    async def _note(self, error: Exception) -> None:
        """Write what the attempt has left, and that it failed.

        Raises:
            RunFenced, StoreError: nothing was written.
        """
        journal = self.ctx.journal
        for row in journal.held(taken=True):
            assert self.recorder is not None  # nothing is held back where nothing is written
            await self.recorder.write_journal(row)
        said = {"retries": retries(journal) + 1, "error": f"{type(error).__name__}: {error}"}
        await journal.note(JournalKind.NOTED, _RETRIES, "", to_json(said))

    async def _begin(self, state: Any, node: Node, *, reread: bool) -> None:
        """Stand where the step began, with the journal as it is by now."""
        ctx = self.ctx
        ctx.interruption.check(ctx.seq)
        ctx.state, ctx.failure = state, None
        self.frontier.again(ctx.branch, node)
        if self.recorder is not None:
            self.recorder.rewind(ctx.branch, state)
            noted = ctx.journal.row(_RETRIES, "")
            rows = await self.recorder.calls() if reread or noted is None else [noted]
            ctx.journal.begin(ctx.seq, rows, ctx.branch)
        else:  # it goes on with what this process knows: what was done once is not done again
            ctx.journal.slept, ctx.journal.children = (), ()
        ctx.attempt += 1
        ctx.outlet.tell(StepStarted(ctx.run_id, ctx.seq, ctx.attempt, node.get_node_id(), ctx.branch))


def retries(journal: Journal) -> int:
    """How often the pending step was tried again already."""
    row = journal.row(_RETRIES, "")
    return 0 if row is None else int(from_json(row.value)["retries"])
