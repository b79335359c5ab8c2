"""langgraph with a `DeltaChannel` for the messages, in beta: a step keeps what it adds, every hundredth all."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

from cell import Cell, Durable, Resumed
from langchain.agents import AgentState
from langchain_core.messages import AnyMessage, convert_to_messages
from langgraph.channels import DeltaChannel
from with_langgraph.runs import durable


def joined(messages: list[AnyMessage], writes: Sequence[list[Any]]) -> list[AnyMessage]:
    return [*messages, *(message for write in writes for message in convert_to_messages(write))]


class State(AgentState):
    messages: Annotated[list[AnyMessage], DeltaChannel(joined)]


SAME = "as without"

CELLS: dict[str, Cell] = {
    "answer": SAME,
    "loop": SAME,
    "crowd": SAME,
    "durable": Durable(partial(durable, schema=State)),
    "resume": Resumed(partial(durable, schema=State)),
}
