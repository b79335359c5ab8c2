"""Replies of OpenAI's Responses, whole or by events.

A reply is a list of items. A whole one has them all at once; a stream announces each, sends its text piece by piece,
and gives it again when it is done. Both are read by the same few lines: an item that is done adds what has not come
before.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime

from agentgraph.exceptions import ModelHTTPError, UnexpectedModelBehavior
from agentgraph.messages import (
    FinishReason,
    ModelResponse,
    ModelResponseStreamEvent,
    NativeToolCallPart,
    ThinkingPart,
)
from agentgraph.usage import Usage

from .openai_responses_native import native_parts
from .openai_responses_request import PHASES, RAW_THOUGHTS
from .openai_responses_wire import Answer, Call, Event, Item, Message, Reasoning
from .openai_usage import usage_of
from .origin import marked
from .service_blocks import BlockBuilder, NativePart, is_native
from .wire import JSON, as_object, as_text, error_inside, read

__all__ = ["ResponsesReply", "decode"]

FINISH: Mapping[str, FinishReason] = {
    "completed": "stop",
    "cancelled": "error",
    "max_output_tokens": "length",
    "content_filter": "content_filter",
}
"""By the status, or by what an incomplete reply says is the reason."""
WAITING = frozenset({"queued", "in_progress"})
LAST = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})
STATUS_OF_ERROR: Mapping[str, int] = {"rate_limit_exceeded": 429, "server_error": 500}
DONE = "[DONE]"


def decode(body: str | bytes, model_name: str, system: str) -> tuple[ModelResponse, Usage]:
    """A whole reply.

    Raises:
        ModelHTTPError: the body is an error that came with a status of success.
        UnexpectedModelBehavior: the body is no reply.
    """
    reply = ResponsesReply(model_name, system)
    answer = read(Answer, body, model_name)
    reply.take(answer, body)
    if answer.output is None:
        raise UnexpectedModelBehavior(f"the reply of {model_name!r} holds no output", as_text(body))
    return reply.response(), reply.usage()


class ResponsesReply:
    """One reply being put together."""

    def __init__(self, model_name: str, system: str) -> None:
        self.model_name = model_name
        """The model asked, then the model that the service says has answered."""
        self.timestamp = datetime.now(UTC)
        """When the reply was made: now, then what the service says."""
        self.ended = False
        """Whether the reply has come to its end."""
        self._system = system
        self._builder = BlockBuilder()
        self._details: JSON = {}
        self._phases: list[str | None] = []
        """One for each part of text."""
        self._last: Answer | None = None
        self._begun: dict[int, int] = {}
        """By the index of an item that was announced: its place among the parts."""
        self._streamed: set[int] = set()
        """The indexes of the items that have come piece by piece."""
        self._told: dict[tuple[int, str], NativePart] = {}
        """By the index of an item and the kind of its part: what was told of a tool of the service."""
        self._searched: str | None = None
        """The newest call that looks for tools."""
        self._thought: tuple[object, ...] = ()
        """Which piece of thinking is the newest."""

    @property
    def lacks(self) -> str | None:
        """What is wrong if the stream ends here."""
        if self.ended:
            return None
        return "is cut off" if self._last is not None or self._begun or self._streamed else "holds no output"

    def add(self, body: str | bytes) -> list[ModelResponseStreamEvent]:
        """Take an event of a stream.

        Raises:
            ModelHTTPError: it is an error that stands for a status.
            UnexpectedModelBehavior: it is any other error, or nothing that this protocol has.
        """
        if as_text(body).strip() == DONE:
            return []
        event = read(Event, body, self.model_name)
        if event.type == "error":
            raise self._error(as_object(event.error).get("code", event.code), body)
        if event.response is not None:
            self.ended = event.type in LAST
            return self.take(event.response, body, items=self.ended and not self._begun)
        index = event.output_index or 0
        match event.type, event.item:
            case "response.output_item.added", item if item is not None:
                return self._begin(index, item)
            case "response.output_item.done", item if item is not None:
                return self._end(index, item)
            case _:
                return self._piece(event, index)

    def take(self, answer: Answer, body: str | bytes, *, items: bool = True) -> list[ModelResponseStreamEvent]:
        """Take what is known of the reply as a whole, with its items or without.

        Raises:
            ModelHTTPError: it is an error that stands for a status.
            UnexpectedModelBehavior: it is any other error.
        """
        if answer.error is not None or answer.status == "failed":
            raise self._error(as_object(answer.error).get("code"), body)
        self._last = answer
        self.model_name = answer.model or self.model_name
        if answer.created_at:
            with suppress(ValueError, OverflowError, OSError):  # a number that is no time
                self.timestamp = datetime.fromtimestamp(answer.created_at, UTC)
        events: list[ModelResponseStreamEvent] = []
        for index, item in enumerate((answer.output or []) if items else []):
            events += self._end(index, item)
        return events

    def response(self) -> ModelResponse:
        """The reply so far."""
        parts = self._builder.parts
        last = self._last or Answer()
        details = deepcopy(self._details)
        own = {**self._builder.kept, **({PHASES: [*self._phases]} if any(self._phases) else {})}
        if own or any(isinstance(part, ThinkingPart) or is_native(part) for part in parts):
            details = marked(self._system, {**details, **own})
        if last.status in WAITING and not parts:
            details["status"] = last.status
        reason = as_object(last.incomplete_details).get("reason") or last.status
        return ModelResponse(
            parts,
            self.model_name,
            self.timestamp,
            finish_reason="content_filter" if "refusal" in details else FINISH.get(str(reason)),
            provider_response_id=last.id,
            provider_details=details or None,
        )

    def usage(self) -> Usage:
        """The usage so far."""
        return usage_of((self._last or Answer()).usage or {}, "input_tokens", "output_tokens")

    def _error(self, code: object, body: str | bytes) -> ModelHTTPError | UnexpectedModelBehavior:
        return error_inside(STATUS_OF_ERROR.get(code) if isinstance(code, str) else code, self.model_name, body)

    def _begin(self, index: int, item: Item) -> list[ModelResponseStreamEvent]:
        if isinstance(item, Call):
            self._begun[index] = 0
            return self._builder.tool_call(index, name=item.name, call_id=item.call_id or item.id)
        if isinstance(item, dict) and (parts := native_parts(item, self._searched)):
            self._begun[index] = 0
            return self._tell(index, parts)
        # What two messages say is two parts, as is what comes before and after an item that is none.
        self._begun[index] = 0 if isinstance(item, Reasoning) else self._builder.place()
        return []

    def _tell(self, index: int, parts: list[NativePart]) -> list[ModelResponseStreamEvent]:
        """Tell of a tool of the service what has not been told."""
        events: list[ModelResponseStreamEvent] = []
        for part in parts:
            if self._told.get((index, part.part_kind)) != part:
                self._told[index, part.part_kind] = part
                events += self._builder.part((index, part.part_kind), part)
            if isinstance(part, NativeToolCallPart) and part.tool_name == "tool_search":
                self._searched = part.tool_call_id
        return events

    def _piece(self, event: Event, index: int) -> list[ModelResponseStreamEvent]:
        if event.delta is None:
            return []
        self._streamed.add(index)
        match event.type:
            case "response.output_text.delta":
                return self._builder.text(event.delta)
            case "response.refusal.delta":
                return self._refuse(event.delta)
            case "response.function_call_arguments.delta":
                return self._builder.tool_call(index, args=event.delta)
            case "response.reasoning_summary_text.delta":
                return self._think(event.item_id, ("summary", event.summary_index), event.delta)
            case _:
                return self._think(event.item_id, ("content", event.content_index), event.delta)

    def _end(self, index: int, item: Item) -> list[ModelResponseStreamEvent]:
        events = [] if index in self._begun else self._begin(index, item)
        streamed = index in self._streamed
        match item:
            case Message():
                self._note(item)
                return events if streamed else events + self._say(item)
            case Call():
                return events if streamed else events + self._builder.tool_call(index, args=item.arguments)
            case Reasoning():
                return events + self._finish_thought(item, streamed=streamed)
            case _:
                parts = native_parts(item, self._searched)
                if not parts:
                    self._builder.keep(self._begun[index], item)
                return events + self._tell(index, parts)

    def _say(self, message: Message) -> list[ModelResponseStreamEvent]:
        events: list[ModelResponseStreamEvent] = []
        for content in message.content or []:
            events += self._builder.text(content.text or "") + self._refuse(content.refusal or "")
        return events

    def _refuse(self, refusal: str) -> list[ModelResponseStreamEvent]:
        if refusal:
            self._details["refusal"] = self._details.get("refusal", "") + refusal
        return self._builder.text(refusal)

    def _note(self, message: Message) -> None:
        if any(content.text or content.refusal for content in message.content or []):
            self._phases.append(message.phase)
        for content in message.content or []:
            for name, entries in (("annotations", content.annotations), ("logprobs", content.logprobs)):
                if entries:
                    self._details.setdefault(name, []).extend(entries)

    def _think(self, item_id: str | None, piece: tuple[str, int], delta: str) -> list[ModelResponseStreamEvent]:
        raw: list[str | None] = self._details.get(RAW_THOUGHTS, [])
        if piece[0] == "content" and delta and item_id not in raw:
            self._details[RAW_THOUGHTS] = [*raw, item_id]
        if self._thought == (item_id, *piece):
            return self._builder.thinking(delta, id=item_id)
        self._thought = (item_id, *piece)
        return self._builder.part(self._thought, ThinkingPart(delta, item_id))

    def _finish_thought(self, item: Reasoning, *, streamed: bool) -> list[ModelResponseStreamEvent]:
        events: list[ModelResponseStreamEvent] = []
        texts = {"summary": item.summary, "content": [] if item.summary else item.content}
        for name, contents in texts.items() if not streamed else ():
            for position, content in enumerate(contents or []):
                events += self._think(item.id, (name, position), content.text or "")
        sealed = item.encrypted_content
        return events + (self._builder.thinking(signature=sealed, id=item.id) if sealed else [])
