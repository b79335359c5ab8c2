"""The forms of Bedrock's protocol: replies, the events of a stream, and their blocks. Names are the wire's own."""

from __future__ import annotations

from pydantic import Base64Bytes, ConfigDict

from .wire import JSON, Wire

__all__ = [
    "Block",
    "Call",
    "Cited",
    "Delta",
    "End",
    "Event",
    "ExceptionEvent",
    "Message",
    "Metadata",
    "Output",
    "Reasoned",
    "Reasoning",
    "Said",
    "Start",
    "Stop",
    "Whole",
]


class Reasoned(Wire):
    """A thought and its seal."""

    text: str | None = None
    signature: str | None = None


class Reasoning(Reasoned):
    """The pieces of a stream stand bare, a whole thought in `reasoningText`."""

    reasoningText: Reasoned | None = None  # noqa: N815 - the wire's own name
    redactedContent: Base64Bytes | None = None  # noqa: N815 - as above


class Call(Wire):
    """The call of a tool: of ours, or of the service."""

    model_config = ConfigDict(extra="allow", frozen=True)

    toolUseId: str | None = None  # noqa: N815 - as above
    name: str | None = None
    input: JSON | str | None = None
    type: str | None = None


class Said(Wire):
    """A piece of a text that cites."""

    text: str | None = None


class Cited(Wire):
    """A text with its sources."""

    content: list[Said] | None = None
    citations: list[JSON] | None = None


class Block(Wire):
    """A block, the beginning of one, or a piece."""

    model_config = ConfigDict(extra="allow", frozen=True)

    text: str | None = None
    toolUse: Call | None = None  # noqa: N815 - as above
    reasoningContent: Reasoning | None = None  # noqa: N815 - as above
    citationsContent: Cited | None = None  # noqa: N815 - as above
    citation: JSON | None = None


class Start(Wire):
    """A block begins."""

    contentBlockIndex: int  # noqa: N815 - as above
    start: Block


class Delta(Wire):
    """A block goes on."""

    contentBlockIndex: int  # noqa: N815 - as above
    delta: Block


class Stop(Wire):
    """A block ends."""

    contentBlockIndex: int  # noqa: N815 - as above


class End(Wire):
    """How a reply ends."""

    stopReason: str | None = None  # noqa: N815 - as above
    additionalModelResponseFields: object = None  # noqa: N815 - as above


class Metadata(Wire):
    """What a reply has cost."""

    usage: JSON | None = None
    trace: JSON | None = None


class ExceptionEvent(Wire):
    """Something went wrong while the reply was made."""

    type: str


class Event(Wire):
    """One event, the only one of these fields that is there."""

    messageStart: JSON | None = None  # noqa: N815 - as above
    contentBlockStart: Start | None = None  # noqa: N815 - as above
    contentBlockDelta: Delta | None = None  # noqa: N815 - as above
    contentBlockStop: Stop | None = None  # noqa: N815 - as above
    messageStop: End | None = None  # noqa: N815 - as above
    metadata: Metadata | None = None
    exception: ExceptionEvent | None = None


class Message(Wire):
    """The blocks of a reply."""

    content: list[Block]


class Output(Wire):
    """What the model gave."""

    message: Message | None = None


class Whole(End, Metadata):
    """A reply that did not come in pieces."""

    output: Output | None = None
