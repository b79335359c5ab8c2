"""Replies of Cohere's chat, whole or in pieces.

A whole reply is a message; each event of a stream holds a piece of one in the same fields, so both are read by the same
few lines.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime
from typing import Annotated, cast

from pydantic import BeforeValidator, FiniteFloat

from agentgraph.exceptions import UnexpectedModelBehavior
from agentgraph.messages import FinishReason, ModelResponse, ModelResponseStreamEvent, ReplyBuilder, ThinkingPart
from agentgraph.usage import Usage

from .cohere_request import TOOL_PLAN
from .origin import marked
from .wire import JSON, Wire, as_text, error_inside, read

__all__ = ["CohereReply", "decode"]

FINISH: Mapping[str, FinishReason] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_call",
    "ERROR_TOXIC": "content_filter",
    "ERROR": "error",
    "ERROR_LIMIT": "error",
    "TIMEOUT": "error",
}
END = "message-end"
DONE = "[DONE]"


def _listed(value: object) -> object:
    """What stands alone in an event, and in a list in a whole reply."""
    return [cast("JSON", value)] if isinstance(value, dict) else value  # cast: an object of JSON


class _Content(Wire):
    text: str | None = None
    thinking: str | None = None


class _Function(Wire):
    name: str | None = None
    arguments: str | None = None


class _Call(Wire):
    id: str | None = None
    function: _Function | None = None


class _Message(Wire):
    content: Annotated[list[_Content] | str | None, BeforeValidator(_listed)] = None
    tool_calls: Annotated[list[_Call] | None, BeforeValidator(_listed)] = None
    tool_plan: str | None = None
    citations: Annotated[list[JSON] | None, BeforeValidator(_listed)] = None


class _Usage(Wire):
    billed_units: dict[str, FiniteFloat | None] | None = None
    tokens: dict[str, FiniteFloat | None] | None = None
    cached_tokens: FiniteFloat | None = None


class _Piece(Wire):
    message: _Message | None = None
    finish_reason: str | None = None
    usage: _Usage | None = None
    error: object = None


class _Body(_Piece):
    id: str | None = None
    logprobs: Annotated[list[JSON] | None, BeforeValidator(_listed)] = None
    # Only in events:
    type: str | None = None
    index: int | None = None
    delta: _Piece | None = None


def decode(body: str | bytes, model_name: str, system: str) -> tuple[ModelResponse, Usage]:
    """A whole reply.

    Raises:
        UnexpectedModelBehavior: the body is no reply.
    """
    reply = CohereReply(model_name, system)
    reply.add(body)
    if not reply.begun:
        raise UnexpectedModelBehavior(f"the reply of {model_name!r} holds no message", as_text(body))
    return reply.response(), reply.usage()


class CohereReply:
    """One reply being put together."""

    def __init__(self, model_name: str, system: str) -> None:
        self.model_name = model_name
        """The model asked; the service does not say which one answered."""
        self.timestamp = datetime.now(UTC)
        """When the reply was made."""
        self.begun = False
        """Whether there was any message."""
        self.ended = False
        """Whether the service has said that the stream ends."""
        self._system = system
        self._builder = ReplyBuilder()
        self._details: JSON = {}
        self._finish: str | None = None
        self._id: str | None = None
        self._usage: _Usage | None = None

    @property
    def lacks(self) -> str | None:
        """What is wrong if the stream ends here."""
        if self.begun:
            return None if self.ended else "is cut off"
        return "holds no message"

    def add(self, body: str | bytes) -> list[ModelResponseStreamEvent]:
        """Take an event of a stream, or the whole of a reply.

        Raises:
            ModelHTTPError: it is an error with a status.
            UnexpectedModelBehavior: it is any other error, or nothing that this protocol has.
        """
        if as_text(body).strip() == DONE:
            self.ended = self.begun
            return []
        event = read(_Body, body, self.model_name)
        piece = event.delta or event
        if piece.error is not None:
            raise error_inside(None, self.model_name, body)
        self._id = event.id or self._id
        self._finish = piece.finish_reason or self._finish
        self._usage = piece.usage or self._usage
        self.ended = event.type == END
        if event.logprobs:
            self._details.setdefault("logprobs", []).extend(event.logprobs)
        if piece.message is None:
            return []
        self.begun = True
        return self._message(piece.message, event.index)

    def response(self) -> ModelResponse:
        """The reply so far."""
        parts = self._builder.parts
        details = deepcopy(self._details)
        if details or any(isinstance(part, ThinkingPart) for part in parts):
            details = marked(self._system, details)
        return ModelResponse(
            parts,
            self.model_name,
            self.timestamp,
            finish_reason=FINISH.get(self._finish or ""),
            provider_response_id=self._id,
            provider_details=details or None,
        )

    def usage(self) -> Usage:
        """The usage so far."""
        return Usage() if self._usage is None else _usage(self._usage)

    def _message(self, message: _Message, index: int | None) -> list[ModelResponseStreamEvent]:
        events: list[ModelResponseStreamEvent] = []
        content = message.content or []
        for block in [_Content(text=content)] if isinstance(content, str) else content:
            events += self._builder.thinking(block.thinking or "")
            events += self._builder.text(block.text or "")
        for position, call in enumerate(message.tool_calls or []):
            function = call.function or _Function()
            events += self._builder.tool_call(
                position if index is None else index, name=function.name, args=function.arguments, call_id=call.id
            )
        if message.tool_plan:
            self._details[TOOL_PLAN] = self._details.get(TOOL_PLAN, "") + message.tool_plan
        if message.citations:
            self._details.setdefault("citations", []).extend(message.citations)
        return events


def _usage(usage: _Usage) -> Usage:
    counts = _whole(usage.tokens)
    billed = _whole(usage.billed_units)
    # What is billed leaves out what the service adds to the prompt; it is better than nothing.
    prompt = counts.get("input_tokens", billed.get("input_tokens"))
    reply = counts.get("output_tokens", billed.get("output_tokens"))
    details = {"cache_read_tokens": int(usage.cached_tokens or 0), **{f"billed_{key}": n for key, n in billed.items()}}
    total = None if prompt is None and reply is None else (prompt or 0) + (reply or 0)
    return Usage(0, prompt, reply, total, {name: tokens for name, tokens in details.items() if tokens} or None)


def _whole(counts: Mapping[str, float | None] | None) -> dict[str, int]:
    return {name: int(value) for name, value in (counts or {}).items() if value is not None}
