"""Which step ran in which process, and what was true in the end, as tables."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table

from agentgraph.cli.printing import text
from agentgraph.graph import StepRecord

from .database import CallMade
from .play import Stage
from .verdict import Claim

__all__ = ["timeline", "verdicts"]


def timeline(stage: Stage, steps: Sequence[StepRecord], calls: Sequence[CallMade]) -> Table:
    """One row a step."""
    table = Table(title="timeline", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("step", justify="right")
    table.add_column("node", no_wrap=True)
    table.add_column("committed by", no_wrap=True)
    table.add_column("attempt", justify="right")
    table.add_column("tools, and the processes that ran them")
    for step in steps:
        made = [call for call in calls if stage.step_of(call.key) == step.seq]
        style = "yellow" if step.attempt > 1 else ""
        table.add_row(
            str(step.seq),
            text(step.node),
            text(step.owner.partition(" on ")[0]),
            str(step.attempt),
            text(_by_process(made)),
            style=style,
        )
    return table


def verdicts(judged: Sequence[Claim]) -> Table:
    """One row a claim."""
    grid = Table.grid(padding=(0, 1))
    for claim in judged:
        grid.add_row(text("yes" if claim.holds else "NO", "green" if claim.holds else "bold red"), text(claim.sentence))
    return grid


def _by_process(calls: Sequence[CallMade]) -> str:
    pids: dict[str, list[str]] = {}
    for call in calls:
        pids.setdefault(call.tool, []).append(str(call.pid))
    return "; ".join(f"{tool}: {' then '.join(where)}" for tool, where in pids.items())
