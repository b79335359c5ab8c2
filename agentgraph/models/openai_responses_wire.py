"""What OpenAI's Responses are made of, as far as we read it."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Discriminator, Tag, model_validator

from .wire import JSON, Wire, as_object

__all__ = ["Answer", "Call", "Event", "Item", "Message", "Reasoning"]

KNOWN = frozenset(
    {
        "error",
        "response.created",
        "response.queued",
        "response.in_progress",
        "response.completed",
        "response.incomplete",
        "response.failed",
        "response.cancelled",
        "response.output_item.added",
        "response.output_item.done",
        "response.output_text.delta",
        "response.refusal.delta",
        "response.function_call_arguments.delta",
        "response.reasoning_summary_text.delta",
        "response.reasoning_text.delta",
    }
)
"""The events that are read; the others repeat these, or tell of what is not read."""
ITEMS = frozenset({"message", "function_call", "reasoning"})


class _Content(Wire):
    text: str | None = None
    refusal: str | None = None
    annotations: list[JSON] | None = None
    logprobs: list[JSON] | None = None


class Message(Wire):
    """What the model says."""

    content: list[_Content] | None = None
    phase: str | None = None
    """Whether it is on the way to the answer, or the answer."""


class Call(Wire):
    """A call of one of our tools."""

    name: str
    id: str | None = None
    call_id: str | None = None
    arguments: str | None = None


class Reasoning(Wire):
    """What the model thinks: summed up, as it is, sealed, or several of these."""

    id: str | None = None
    summary: list[_Content] | None = None
    content: list[_Content] | None = None
    encrypted_content: str | None = None


def _kind(item: object) -> str:
    kind = as_object(item).get("type")
    return kind if isinstance(kind, str) and kind in ITEMS else "other"


Item: TypeAlias = Annotated[
    Annotated[Message, Tag("message")]
    | Annotated[Call, Tag("function_call")]
    | Annotated[Reasoning, Tag("reasoning")]
    | Annotated[JSON, Tag("other")],
    Discriminator(_kind),
]
"""One item of a reply; what is none of ours, such as a call of the service's own tools, stays as it is."""


class Answer(Wire):
    """A reply as a whole."""

    id: str | None = None
    model: str | None = None
    created_at: float | None = None
    status: str | None = None
    output: list[Item] | None = None
    usage: JSON | None = None
    incomplete_details: JSON | None = None
    error: object = None


class Event(Wire):
    """One event of a stream."""

    type: str
    response: Answer | None = None
    item: Item | None = None
    item_id: str | None = None
    output_index: int | None = None
    summary_index: int = 0
    content_index: int = 0
    delta: str | None = None
    error: object = None
    code: object = None

    @model_validator(mode="before")
    @classmethod
    def _only_known(cls, data: object) -> object:
        kind = as_object(data).get("type")
        return {"type": kind} if isinstance(kind, str) and kind not in KNOWN else data
