"""What an agent's stored run tells those who follow it, beside what every run does: its messages and its calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, TypeAlias, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from agentgraph.exceptions import DecodeError
from agentgraph.graph import JournalKind, JournalRecord, ListChange, Stepped, TextAdded, ToldEvent
from agentgraph.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    TextPart,
    ToolReturnPart,
)

from .nodes import HandleResponseNode, ModelRequestNode
from .outcomes import outcomes

__all__ = ["AgentRunEvent", "CallAnswered", "MessageAdded", "MessageTells", "MessagesCut", "OwnEvent"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class MessageAdded:
    """A message stands in the conversation: a further one, or another one than before."""

    run_id: str
    seq: int
    index: int
    """Where, counted from the first message of the conversation."""
    message: ModelMessage


@dataclass(frozen=True, slots=True)
class MessagesCut:
    """The conversation ends earlier than before: a step has dropped what was last."""

    run_id: str
    seq: int
    length: int


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """A call of a tool has ended."""

    run_id: str
    seq: int
    call: int
    """Which call of the newest reply, from 0."""
    answer: Annotated[ToolReturnPart | RetryPromptPart, Field(discriminator="part_kind")]
    """What the next request will hold."""


OwnEvent: TypeAlias = MessageAdded | MessagesCut | CallAnswered
"""What only an agent's run tells."""

AgentRunEvent: TypeAlias = ToldEvent | OwnEvent
"""What `Agent.events` tells."""


class MessageTells:
    """Reads them out of the rows of an agent's run."""

    calls_of = frozenset({HandleResponseNode.get_node_id()})

    def call(self, run_id: str, row: JournalRecord) -> OwnEvent | None:
        if row.kind is not JournalKind.DONE or not row.key.isdigit():
            return None
        outcome = _read(outcomes(), row.value, (run_id, row.seq, f"call {row.key}"))
        return CallAnswered(run_id, row.seq, int(row.key), outcome.part)

    def step(self, stepped: Stepped) -> Sequence[OwnEvent | TextAdded]:
        change = stepped.lists.get("message_history")
        return [*_answers(stepped), *(_messages(stepped, change) if change is not None else ())]


def _messages(stepped: Stepped, change: ListChange) -> Iterator[OwnEvent | TextAdded]:
    run_id, seq = stepped.run_id, stepped.step.seq
    if change.keep < change.before:
        yield MessagesCut(run_id, seq, change.keep)
    for index, stored in change.replaced.items():
        yield MessageAdded(run_id, seq, index, _message(stepped, stored))
    asked = stepped.step.node == ModelRequestNode.get_node_id()
    for index, stored in enumerate(change.added, start=change.keep):
        message = _message(stepped, stored)
        if asked and isinstance(message, ModelResponse):
            yield from _rest(stepped, message)
        yield MessageAdded(run_id, seq, index, message)


def _rest(stepped: Stepped, reply: ModelResponse) -> Iterator[TextAdded]:
    """The text of a reply that was not told while it came."""
    told = stepped.text
    for index, part in enumerate(reply.parts):
        if not isinstance(part, TextPart):
            continue
        rest = part.content[told:]
        told = max(0, told - len(part.content))
        if rest:
            yield TextAdded(stepped.run_id, stepped.step.seq, index, rest)


def _answers(stepped: Stepped) -> Iterator[CallAnswered]:
    """The ends of calls that were not told when they happened."""
    step = stepped.step
    if step.node != HandleResponseNode.get_node_id() or "request" not in stepped.fields:
        return
    request = _read(_requests(), stepped.fields["request"], (stepped.run_id, step.seq, "ModelRequestNode.request"))
    for position, part in enumerate(request.parts):
        match part:
            case ToolReturnPart() | RetryPromptPart(tool_name=str()) if str(position) not in stepped.calls:
                yield CallAnswered(stepped.run_id, step.seq, position, part)
            case _:
                pass  # it answers the reply as a whole, or was told


def _message(stepped: Stepped, stored: bytes) -> ModelMessage:
    return _read(_any_message(), stored, (stepped.run_id, stepped.step.seq, "an item of message_history"))


def _read(adapter: TypeAdapter[T], stored: bytes, where: tuple[str, int, str]) -> T:
    try:
        return adapter.validate_json(stored)
    except ValidationError as error:
        first = error.errors()[0]
        raise DecodeError(*where, f"{'.'.join(map(str, first['loc'])) or 'value'}: {first['msg']}") from error


@cache
def _any_message() -> TypeAdapter[ModelMessage]:
    return TypeAdapter(ModelMessage)


@cache
def _requests() -> TypeAdapter[ModelRequest]:
    return TypeAdapter(ModelRequest)
