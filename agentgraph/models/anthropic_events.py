"""The forms of Anthropic's protocol: events, the blocks of a message, and their pieces."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Discriminator, Tag

from .wire import JSON, Wire, as_object

__all__ = [
    "Begin",
    "Block",
    "BlockDelta",
    "BlockStart",
    "BlockStop",
    "Call",
    "CitationDelta",
    "Delta",
    "End",
    "ErrorEvent",
    "InputDelta",
    "Kind",
    "MessageDelta",
    "MessageStart",
    "Other",
    "RedactedThought",
    "SignatureDelta",
    "Text",
    "TextDelta",
    "Thinking",
    "ThinkingDelta",
    "Whole",
]


class Text(Wire):
    """A block of text."""

    text: str
    citations: list[JSON] | None = None


class Thinking(Wire):
    """A block of thinking."""

    thinking: str
    signature: str | None = None


class RedactedThought(Wire):
    """A block of thinking that is encrypted."""

    data: str


class Call(Wire):
    """The call of a tool of ours."""

    id: str | None = None
    name: str
    input: JSON | None = None


class Other(Wire):
    """A block, or a piece, that is kept as it came."""

    model_config = ConfigDict(extra="allow", frozen=True)


def _kind(*known: str) -> Discriminator:
    def kind(value: object) -> str:
        found = as_object(value).get("type")
        return found if found in known else "other"

    return Discriminator(kind)


Block = Annotated[
    Annotated[Text, Tag("text")]
    | Annotated[Thinking, Tag("thinking")]
    | Annotated[RedactedThought, Tag("redacted_thinking")]
    | Annotated[Call, Tag("tool_use")]
    | Annotated[Other, Tag("other")],
    _kind("text", "thinking", "redacted_thinking", "tool_use"),
]


class TextDelta(Wire):
    """More of a text."""

    text: str


class ThinkingDelta(Wire):
    """More of a thought."""

    thinking: str


class SignatureDelta(Wire):
    """The seal of a thought."""

    signature: str


class InputDelta(Wire):
    """More of the arguments of a call."""

    partial_json: str


class CitationDelta(Wire):
    """A source of a text."""

    citation: JSON


Delta = Annotated[
    Annotated[TextDelta, Tag("text_delta")]
    | Annotated[ThinkingDelta, Tag("thinking_delta")]
    | Annotated[SignatureDelta, Tag("signature_delta")]
    | Annotated[InputDelta, Tag("input_json_delta")]
    | Annotated[CitationDelta, Tag("citations_delta")]
    | Annotated[Other, Tag("other")],
    _kind("text_delta", "thinking_delta", "signature_delta", "input_json_delta", "citations_delta"),
]


class End(Wire):
    """How a message ends: fields of a whole one, and of the delta of a streamed one."""

    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: JSON | None = None
    container: JSON | None = None


class Begin(Wire):
    """What is known of a message when it begins."""

    id: str | None = None
    model: str | None = None
    usage: JSON | None = None


class Whole(Begin, End):
    """A message that did not come in pieces, or an error."""

    content: list[Block] | None = None
    error: JSON | None = None


class Kind(Wire):
    """What kind of event it is."""

    type: str


class MessageStart(Wire):
    """The message begins."""

    message: Begin


class BlockStart(Wire):
    """A block begins."""

    index: int
    content_block: Block


class BlockDelta(Wire):
    """A block goes on."""

    index: int
    delta: Delta


class BlockStop(Wire):
    """A block ends."""

    index: int


class MessageDelta(Wire):
    """The message comes to its end."""

    delta: End
    usage: JSON | None = None


class ErrorEvent(Wire):
    """Something went wrong while the message was made."""

    error: JSON
