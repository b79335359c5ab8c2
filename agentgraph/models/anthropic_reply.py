"""Replies of Anthropic's protocol, whole or in pieces, read by the same few lines.

A whole message is taken as the events that a stream would have had, so both end in one mapping. Blocks that are neither
text nor thought nor call, of ours or of the service, are kept as they came: see `service_blocks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import assert_never

from agentgraph.exceptions import ModelHTTPError, UnexpectedModelBehavior
from agentgraph.messages import (
    FinishReason,
    ModelResponse,
    ModelResponseStreamEvent,
    ThinkingPart,
)
from agentgraph.usage import Usage

from .anthropic_events import (
    Begin,
    Block,
    BlockDelta,
    BlockStart,
    BlockStop,
    Call,
    CitationDelta,
    Delta,
    End,
    ErrorEvent,
    InputDelta,
    Kind,
    MessageDelta,
    MessageStart,
    Other,
    RedactedThought,
    SignatureDelta,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    Whole,
)
from .anthropic_native import native_part
from .anthropic_usage import usage_of
from .claude import Redacted
from .origin import marked
from .service_blocks import BlockBuilder, NativePart, joined_input
from .wire import JSON, as_text, error_inside, read

__all__ = ["MessageReply", "decode"]

SYSTEM = "anthropic"
FINISH: Mapping[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_call",
    "refusal": "content_filter",
}
PAUSED = "pause_turn"
TOLD = frozenset({PAUSED, "refusal", "model_context_window_exceeded"})
"""Reasons that say more than our word for them; `provider_details` keeps them."""
STATUSES: Mapping[str, int] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""https://docs.anthropic.com/en/api/errors: an error inside a stream has only its type."""


@dataclass(eq=False)
class _Open:
    """A block that has begun."""

    key: int
    place: int = 0
    service: JSON | None = None
    """The block itself, if it is none of ours."""
    part: NativePart | None = None
    """What it is so far, if it tells of a tool of the service."""
    pieces: list[str] = field(default_factory=list[str])
    """Of the input of a service's call."""


def decode(body: str | bytes, model_name: str) -> tuple[ModelResponse, Usage]:
    """A whole reply.

    Raises:
        ModelHTTPError: the body is an error that came with a status of success.
        UnexpectedModelBehavior: the body is no reply.
    """
    reply = MessageReply(model_name)
    reply.add_whole(body)
    return reply.response(), reply.usage()


class MessageReply:
    """One reply being put together."""

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name
        """The model asked, then the model that the service says has answered."""
        self.timestamp = datetime.now(UTC)
        """When the reply was begun; the service does not tell."""
        self.ended = False
        """Whether the message was said to have stopped."""
        self._begun = False
        self._finish: str | None = None
        self._builder = BlockBuilder()
        self._blocks = 0
        self._open: dict[int, _Open] = {}
        self._sealed = False
        """Whether there is a part that means something to this service alone."""
        self._names: dict[str, str] = {}
        """The service's tools that were called, by the ids of the calls."""
        self._id: str | None = None
        self._details: JSON = {}
        self._usage: JSON = {}
        self._earlier = Usage()
        """That of the turns before this one."""

    @property
    def paused(self) -> bool:
        """Whether the reply goes on once it is sent back."""
        return self._finish == PAUSED

    @property
    def lacks(self) -> str | None:
        """What is wrong with a stream that ends here."""
        if not self._begun:
            return "holds no message"
        return None if self.ended or self._finish is not None else "is cut off"

    def add(self, body: str) -> list[ModelResponseStreamEvent]:
        """Take the data of an event.

        Raises:
            ModelHTTPError: it is an error of a known type.
            UnexpectedModelBehavior: it is any other error, or nothing that this protocol has.
        """
        match read(Kind, body, self.model_name).type:
            case "message_start":
                self._begin(read(MessageStart, body, self.model_name).message)
            case "content_block_start":
                start = read(BlockStart, body, self.model_name)
                return self._start(start.index, start.content_block)
            case "content_block_delta":
                delta = read(BlockDelta, body, self.model_name)
                return self._add(self._opened(delta.index, body), delta.delta)
            case "content_block_stop":
                index = read(BlockStop, body, self.model_name).index
                opened = self._opened(index, body)
                del self._open[index]
                return self._stop(opened, body)
            case "message_delta":
                end = read(MessageDelta, body, self.model_name)
                self._end(end.delta, end.usage)
            case "message_stop":
                self.ended = True
            case "error":
                raise _error(read(ErrorEvent, body, self.model_name).error, self.model_name, body)
            case _:
                pass
        return []

    def add_whole(self, body: str | bytes) -> None:
        """Take a whole message.

        Raises:
            ModelHTTPError: it is an error of a known type.
            UnexpectedModelBehavior: it is any other error, or no message.
        """
        message = read(Whole, body, self.model_name)
        if message.error is not None:
            raise _error(message.error, self.model_name, body)
        if message.content is None:
            raise UnexpectedModelBehavior(f"the reply of {self.model_name!r} holds no content", as_text(body))
        self._begin(message)
        for index, block in enumerate(message.content):
            self._start(index, block)
            self._stop(self._open[index], as_text(body))
        self._end(message, None)

    def go_on(self) -> None:
        """Begin the next turn, or the first: what comes belongs to the same reply."""
        self._earlier, self._usage = self.usage(), {}
        self.ended, self._finish = False, None
        self._details.pop("stop_reason", None)
        self._open.clear()

    def response(self) -> ModelResponse:
        """The reply so far."""
        details = {**deepcopy(self._details), **self._builder.kept}
        return ModelResponse(
            self._builder.parts,
            self.model_name,
            self.timestamp,
            finish_reason=FINISH.get(self._finish or ""),
            provider_response_id=self._id,
            provider_details=marked(SYSTEM, details) if details or self._sealed else None,
        )

    def usage(self) -> Usage:
        """The usage so far."""
        return self._earlier + usage_of(self._usage)

    def _begin(self, message: Begin) -> None:
        self._begun = True
        self._id = message.id or self._id
        self.model_name = message.model or self.model_name
        self._count(message.usage)

    def _end(self, end: End, usage: JSON | None) -> None:
        self._finish = end.stop_reason or self._finish
        told = {"stop_sequence": end.stop_sequence, "stop_details": end.stop_details, "container": end.container}
        if end.stop_reason in TOLD:
            told["stop_reason"] = end.stop_reason
        self._details |= {name: value for name, value in told.items() if value is not None}
        self._count(usage)

    def _count(self, usage: JSON | None) -> None:
        # The end of a stream counts anew what its start has counted, but not all of it.
        self._usage |= {name: value for name, value in (usage or {}).items() if value is not None}

    def _start(self, index: int, block: Block) -> list[ModelResponseStreamEvent]:
        opened = self._open[index] = _Open(self._blocks)
        self._blocks += 1
        match block:
            case Text():
                self._cite(block.citations)
                return self._builder.text(block.text)
            case Thinking():
                self._sealed = True
                thought = ThinkingPart(block.thinking, signature=block.signature or None)
                return self._builder.part(opened.key, thought)
            case RedactedThought():
                self._sealed = True
                return self._builder.part(opened.key, ThinkingPart("", Redacted.THINKING, block.data))
            case Call():
                return self._builder.tool_call(opened.key, name=block.name, args=block.input, call_id=block.id)
            case Other():
                opened.service = dict(block.model_extra or {})
                return self._serve(opened)
            case _:
                assert_never(block)

    def _add(self, opened: _Open, delta: Delta) -> list[ModelResponseStreamEvent]:
        match delta:
            case TextDelta():
                return self._builder.text(delta.text)
            case ThinkingDelta():
                return self._builder.thinking(delta.thinking)
            case SignatureDelta():
                return self._builder.thinking(signature=delta.signature)
            case InputDelta():
                if opened.service is None:
                    return self._builder.tool_call(opened.key, args=delta.partial_json)
                opened.pieces.append(delta.partial_json)
            case CitationDelta():
                self._cite([delta.citation])
            case Other():
                _grow(opened.service, delta.model_extra or {})
            case _:
                assert_never(delta)
        return []

    def _serve(self, opened: _Open) -> list[ModelResponseStreamEvent]:
        """Tell of a tool of the service, or see where the block is to be kept."""
        block = opened.service or {}
        part = native_part(block, self._names)
        if part is None:
            opened.place = self._builder.place()
            return []
        self._sealed = True  # it goes back to this service alone
        self._names[part.tool_call_id or ""] = part.tool_name
        if part == opened.part:
            return []
        opened.part = part
        return self._builder.part(opened.key, part)

    def _stop(self, opened: _Open, body: str) -> list[ModelResponseStreamEvent]:
        if opened.service is None:
            return []
        if any(opened.pieces):
            opened.service = {**opened.service, "input": joined_input(opened.pieces, self.model_name, body)}
        if opened.part is not None:
            return self._serve(opened)
        self._builder.keep(opened.place, opened.service)
        return []

    def _cite(self, citations: list[JSON] | None) -> None:
        if citations:
            self._details.setdefault("citations", []).extend(citations)

    def _opened(self, index: int, body: str) -> _Open:
        opened = self._open.get(index)
        if opened is None:
            raise UnexpectedModelBehavior(
                f"the reply of {self.model_name!r} goes on with block {index}, which it has not begun", body
            )
        return opened


def _grow(block: JSON | None, delta: JSON) -> None:
    """Add what comes later to a block that is kept as it is: text to text, anything else as it comes."""
    if block is None:
        return
    for name, value in delta.items():
        if name != "type":
            before = block.get(name)
            block[name] = before + value if isinstance(before, str) and isinstance(value, str) else value


def _error(error: JSON, model_name: str, body: str | bytes) -> ModelHTTPError | UnexpectedModelBehavior:
    return error_inside(STATUSES.get(str(error.get("type"))), model_name, body)
