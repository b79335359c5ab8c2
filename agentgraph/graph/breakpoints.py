"""Breakpoints: nodes before which a run stops, its claim released, and goes past when it is resumed.

That a run has stopped before its pending step is noted in the journal of the step, and goes with its commit. So the
process that goes on need not be the one that stopped, and one that died on its way to a breakpoint is no way around it.
"""

from __future__ import annotations

from typing import Any

from agentgraph.exceptions import RunPaused

from .context import GraphRunContext
from .store import JournalKind

__all__ = ["heed_breakpoint"]

_STOPPED = "agentgraph: stopped before it"
"""The key of the note."""


async def heed_breakpoint(node: object, ctx: GraphRunContext[Any, Any]) -> None:
    """Stop the run, once, if it has to stop now that `node` comes next.

    Raises:
        RunPaused: it has to.
        RunFenced, StoreError: that cannot be noted.
    """
    if type(node) in ctx.interruption.break_before and ctx.journal.row(_STOPPED, "") is None:
        await ctx.journal.note(JournalKind.NOTED, _STOPPED, "", b"null")
        raise RunPaused(ctx.run_id, {ctx.branch: node})
