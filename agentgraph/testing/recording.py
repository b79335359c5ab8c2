"""Reads an exported run as what it was: requests, their replies, and the answers to the calls in them.

A recording begins after the last time that somebody outside had a hand in the run: replaced its pending node, or
stopped a reply in the middle. What came before is taken as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import from_json, to_jsonable_python

from agentgraph.agent import AgentState, FinalResult, HandleResponseNode, ModelRequestNode, RunConfig, agent_graph
from agentgraph.agent.outcomes import Answer, CallOutcome, outcomes
from agentgraph.agent.used import difference
from agentgraph.exceptions import RunNotResumable
from agentgraph.graph import (
    BaseNode,
    End,
    Graph,
    JournalKind,
    JournalRecord,
    RunRecord,
    StepRecord,
    Store,
    fork,
    lineage,
)
from agentgraph.graph.codec import EDIT
from agentgraph.graph.store import OPENING
from agentgraph.messages import ModelMessage, ModelRequest, ModelResponse, RetryPromptPart, ToolCallPart, ToolReturnPart
from agentgraph.stores import MemoryStore, import_run
from agentgraph.usage import Usage

__all__ = ["Exchange", "Recording", "read_recording", "read_result"]

_REQUEST, _HANDLE = ModelRequestNode.__name__, HandleResponseNode.__name__


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """A request, the reply to it, and what its calls were answered with."""

    step: int
    """The one of the request; -1 where the recording begins with the reply."""
    at: int
    """How many messages came before the reply."""
    reply: ModelResponse
    usage: Usage
    outcomes: Mapping[int, CallOutcome]
    """By the position of the call; of the pending step, those that had ended."""
    used: Usage = field(default_factory=Usage)
    """What its calls have used in all: of which call it was, nobody knows any more."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A run, and a fork of it from which it is taken again."""

    store: Store
    record: RunRecord
    fork: RunRecord
    history: Sequence[ModelMessage]
    pending: Sequence[ModelMessage]
    """The request that had not been answered when the recording ended."""
    exchanges: Sequence[Exchange]
    begun: bool
    """Whether the reply of the first exchange is there already when the fork begins."""
    result: Any  # Any: JSON
    """The result in a list of its own; None if there is none, or it was not stored."""


async def read_recording(file: bytes, run_id: str | None) -> Recording:
    """Read a run of a file that `export_run` has made, by default the one that the file is about.

    Raises:
        UserError: it is no such file.
        RunNotFound: it does not hold the run.
        RunNotResumable: it is no agent's.
        DecodeError: it cannot be read.
    """
    store = MemoryStore()
    own = await import_run(store, file)
    record = await store.load(own if run_id is None else run_id)
    if record.graph != _graph().name:
        raise RunNotResumable(record.run_id, [f"it is a run of graph {record.graph!r}, not of an agent"])
    rows = await lineage(store, record)
    rows = rows[max(index for index, row in enumerate(rows) if row.seq == OPENING) + 1 :]
    start = max((row.seq + 1 for row in rows if _from_outside(row)), default=0)
    forked = await fork(store, record, f"{record.run_id} (replay)", start)
    begin = _graph().codec.restore(record.run_id, await lineage(store, forked), forked.state)
    reader = _Reader(await _state(store, record), await _pending(store, record), await store.calls(record.run_id))
    exchanges = reader.exchanges([row for row in rows if row.seq >= start], begin.state, begin.pending)
    return Recording(
        store=store,
        record=record,
        fork=forked,
        history=reader.history,
        pending=reader.pending_request(),
        exchanges=exchanges,
        begun=isinstance(begin.pending, HandleResponseNode),
        result=await read_result(store, record.run_id),
    )


async def read_result(store: Store, run_id: str) -> list[Any] | None:  # Any: JSON
    """The result of a run as JSON, in a list of its own; None if there is none, or it was not stored."""
    match await _pending(store, await store.load(run_id)):
        case End(data=result):
            final: FinalResult[Any] = result
            return [to_jsonable_python(final.data)]
        case _:
            return None


def _from_outside(row: StepRecord) -> bool:
    return row.node == EDIT or (row.node == row.outcome == _REQUEST)


async def _state(store: Store, record: RunRecord) -> AgentState:
    state: AgentState = _graph().codec.follow(record.run_id, await lineage(store, record), record.state)[0]
    return state


async def _pending(store: Store, record: RunRecord) -> BaseNode[Any, Any, Any] | End[Any] | None:
    """What comes next; None for a result that was not stored."""
    try:
        return _graph().codec.restore(record.run_id, await lineage(store, record), record.state).pending
    except RunNotResumable:
        return None


@dataclass(frozen=True)
class _Reader:
    state: AgentState
    pending: object
    calls: Sequence[JournalRecord]

    @property
    def history(self) -> list[ModelMessage]:
        return self.state.message_history

    def pending_request(self) -> list[ModelMessage]:
        match self.pending:
            case ModelRequestNode(request=ModelRequest(parts=[_, *_]) as request):
                return [request]
            case _:
                return []

    def exchanges(self, rows: Sequence[StepRecord], begin: AgentState, first: object) -> list[Exchange]:
        """Those of the steps in `rows`, of a run that stood at `begin` before them with the node `first`."""
        at, usage = len(begin.message_history), begin.usage
        found = list[Exchange]()
        if isinstance(first, HandleResponseNode):
            found.append(self._exchange(OPENING, at - 1, first.model_response, Usage()))
        for row in rows:
            before, usage = usage, _usage_after(row, usage)
            used = difference(usage, before)
            if row.node == _REQUEST:
                at = next(i for i in range(at, len(self.history)) if isinstance(self.history[i], ModelResponse))
                reply = self.history[at]
                assert isinstance(reply, ModelResponse)
                found.append(self._exchange(row.seq, at, reply, replace(used, requests=0)))
                at += 1
            elif row.node == _HANDLE:
                found[-1] = replace(found[-1], used=used)
        return found

    def _exchange(self, step: int, at: int, reply: ModelResponse, usage: Usage) -> Exchange:
        following = [*self.history, *self.pending_request()][at + 1 : at + 2]
        answers = [
            part
            for message in following
            for part in message.parts
            if isinstance(part, ToolReturnPart | RetryPromptPart)
        ]
        found = _answered(reply, answers) if answers else self._journaled()
        return Exchange(step=step, at=at, reply=reply, usage=usage, outcomes=found)

    def _journaled(self) -> dict[int, CallOutcome]:
        """The calls of the pending step that have ended."""
        done = [row for row in self.calls if row.kind is JournalKind.DONE and row.key.isdecimal()]
        return {int(row.key): outcomes().validate_json(row.value) for row in done}


def _answered(reply: ModelResponse, answers: list[Answer]) -> dict[int, CallOutcome]:
    found = dict[int, CallOutcome]()
    calls = [part for part in reply.parts if isinstance(part, ToolCallPart)]
    for position, call in enumerate(calls):
        fits = [part for part in answers if (part.tool_name, part.tool_call_id) == (call.tool_name, call.tool_call_id)]
        found.update((position, CallOutcome(part)) for part in fits[:1])
        answers = [part for part in answers if all(part is not taken for taken in fits[:1])]
    return found


def _usage_after(row: StepRecord, before: Usage) -> Usage:
    changed: dict[str, Any] = from_json(row.state or b"{}")
    return _usage().validate_python(changed["usage"]) if "usage" in changed else before


@cache
def _graph() -> Graph[AgentState, RunConfig[Any], FinalResult[Any]]:  # Any: results are compared as JSON
    return agent_graph(Any)


@cache
def _usage() -> TypeAdapter[Usage]:
    return TypeAdapter(Usage)
