"""Reads how a scenario's run ended, out of its store alone: neither agent, model nor deps are needed for it."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic_core import from_json, to_jsonable_python

from agentgraph.agent import AgentState, FinalResult, RunConfig, agent_graph
from agentgraph.exceptions import RunNotFound, UserError
from agentgraph.graph import End, Graph, JournalRecord, RunRecord, Status, Store, lineage
from agentgraph.graph.journal import UNKNOWN
from agentgraph.graph.store import JournalKind

from .attempt import RUN_ID
from .plain import plain
from .report import Ending

__all__ = ["find_run", "read_ending"]


async def find_run(store: Store) -> RunRecord | None:
    """The scenario's run, if it was created."""
    try:
        return await store.load(RUN_ID)
    except RunNotFound:
        return None


async def read_ending(store: Store) -> Ending:
    """How the run stands.

    Raises:
        UserError: there is no such run, or it is none of an agent.
        AgentRunError: it cannot be read.
    """
    record = await find_run(store)
    graph = _graph()
    if record is None or record.graph != graph.name:
        raise UserError(
            "the scenario has not run an agent where it was told to: hand `**attempt.options` to the agent's `run`"
        )
    restored = graph.codec.restore(RUN_ID, await lineage(store, record), record.state)
    state: AgentState = restored.state
    calls = await store.calls(RUN_ID)
    pending = restored.pending
    return Ending(
        status=record.status,
        history=plain(state.message_history),
        usage=state.usage,
        result=to_jsonable_python(pending.data.data) if isinstance(pending, End) else None,
        error=record.error,
        unknown=tuple(row.key for row in calls if record.status is not Status.SUCCEEDED and _unknown(row)),
    )


@cache
def _graph() -> Graph[AgentState, RunConfig[Any], FinalResult[Any]]:  # Any: results are compared as JSON
    return agent_graph(Any)


def _unknown(row: JournalRecord) -> bool:
    if row.kind is JournalKind.ASKED:
        return UNKNOWN in str(from_json(row.value))
    return row.kind is JournalKind.STARTED
