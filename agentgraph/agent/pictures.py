"""Pictures of agents and of their stored runs: the graph's, with what only an agent knows written beside its nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import Any, Literal

from agentgraph.exceptions import DecodeError, RunNotResumable
from agentgraph.graph import Picture, Question, RunRecord, StepRecord, Store, lineage, run_picture
from agentgraph.messages import ModelResponse, TextPart, ToolCallPart
from agentgraph.stores import open_store

from .answers import ToolRequest, requests_of
from .nodes import HandleResponseNode, ModelRequestNode, UserPromptNode
from .setup import GRAPH_NAME, agent_graph
from .state import AgentState

__all__ = ["agent_picture", "agent_run_picture"]

LETTERS = 76
"""Of what a model has said, so many are shown."""


def agent_picture(name: str | None, model: str | None, tools: Iterable[str], result: object) -> Picture:
    """The graph that all agents share, with what is this one's own."""
    called = ", ".join(tools)
    result_name = result.__name__ if isinstance(result, type) else str(result)
    handling = [f"tools: {called}"] if called else []
    remarks = {
        HandleResponseNode.get_node_id(): "\n".join([*handling, f"ends with {result_name}"]),
        ModelRequestNode.get_node_id(): model or "a model that each run gives",
    }
    return agent_graph().picture(start_node=UserPromptNode, title=name, remarks=remarks)


async def agent_run_picture(
    store: Store | str | PathLike[str],
    run_id: str,
    *,
    direction: Literal["TB", "LR", "RL", "BT"] = "TB",
    steps: int = 40,
    branches: int = 10,
) -> Picture:
    """Draw a stored run as `agentgraph.graph.run_picture` does; if it is an agent's, with what its model has said.

    Args:
        store: where the run is kept, or what `open_store` takes.
        run_id: the run, which may be executed meanwhile; it is only read.
        direction: where the picture runs to.
        steps: how many steps of each branch are drawn; of more, the first and the last.
        branches: how many branches of each fork are drawn.

    Raises:
        RunNotFound: there is no such run.
        StoreError: the store cannot be read, or was opened without the key of what is encrypted.
    """
    where = open_store(store)
    record = await where.load(run_id)
    notes: Mapping[int, str] = {}
    if record.graph == GRAPH_NAME:
        notes = _notes(record, await lineage(where, record))
    return await run_picture(
        where, run_id, direction=direction, steps=steps, branches=branches, notes=notes, asked=_asked
    )


def _asked(question: Question) -> str:
    (request,) = requests_of(question.run_id, [question])
    if isinstance(request, ToolRequest):
        return f"{request.reason} of {request.call.tool_name}"
    return str(question.about)


def _notes(record: RunRecord, rows: Sequence[StepRecord]) -> Mapping[int, str]:
    """What was said in each of the run's steps; nothing where the history cannot be read."""
    codec = agent_graph(Any).codec  # any: the type of the result does not matter for reading the history
    try:
        state: AgentState = codec.restore(record.run_id, rows, record.state).state
    except (DecodeError, RunNotResumable):
        return {}
    openings = [place for place, row in enumerate(rows) if row.seq < 0]
    own = rows[openings[-1] :] if openings else rows  # a conversation's earlier turns have steps of the same numbers
    asked = [row.seq for row in own if row.node == ModelRequestNode.get_node_id()]
    replies = [message for message in state.message_history if isinstance(message, ModelResponse)]
    said = zip(reversed(asked), reversed(replies), strict=False)  # what came before the run comes first
    return {seq: _said(reply) for seq, reply in said}


def _said(reply: ModelResponse) -> str:
    texts = " ".join(part.content for part in reply.parts if isinstance(part, TextPart))
    calls = ", ".join(part.tool_name for part in reply.parts if isinstance(part, ToolCallPart))
    flat = " ".join(texts.split())
    short = flat if len(flat) <= LETTERS else f"{flat[: LETTERS - 1]}…"
    return "\n".join([*([f"“{short}”"] if short else []), *([f"calls {calls}"] if calls else [])])
