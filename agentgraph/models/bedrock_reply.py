"""Replies of Bedrock's protocol, whole or in pieces, read by the same few lines.

A whole reply is taken as the events that a stream would have had, so both end in one mapping. Blocks that are neither
text nor thought nor call, of ours or of the service, are kept as they came: see `service_blocks`.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

from agentgraph.exceptions import ModelHTTPError, UnexpectedModelBehavior
from agentgraph.messages import FinishReason, ModelResponse, ModelResponseStreamEvent, ThinkingPart
from agentgraph.usage import Usage

from .bedrock_events import Block, Call, Cited, End, Event, ExceptionEvent, Metadata, Reasoning, Whole
from .claude import Redacted
from .origin import marked
from .service_blocks import BlockBuilder, NativePart, joined_input, native_call, native_return
from .wire import JSON, as_object, as_objects, as_text, count, error_inside, read

__all__ = ["ConverseReply", "decode"]

SYSTEM = "bedrock"
FINISH: Mapping[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_call",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
    "malformed_model_output": "error",
    "malformed_tool_use": "error",
}
STATUSES: Mapping[str, int] = {
    "validationException": 400,
    "modelTimeoutException": 408,
    "modelStreamErrorException": 424,
    "throttlingException": 429,
    "internalServerException": 500,
    "serviceUnavailableException": 503,
}
"""https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html"""
SERVICE_CALL = "server_tool_use"
PARTS_OF_PROMPT = ("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens")
"""Each token of the prompt is counted in one of them."""


@dataclass(eq=False)
class _Open:
    """A block that has begun."""

    key: int
    place: int = 0
    service: JSON | None = None
    """The block itself, if it is none of ours."""
    pieces: list[str] = field(default_factory=list[str])
    """Of the input of a service's call."""
    sealed: bytes = b""
    """What has come of an encrypted thought."""


def decode(body: str | bytes, model_name: str) -> tuple[ModelResponse, Usage]:
    """A whole reply.

    Raises:
        UnexpectedModelBehavior: the body is no reply.
    """
    reply = ConverseReply(model_name)
    reply.add_whole(body)
    return reply.response(), reply.usage()


class ConverseReply:
    """One reply being put together."""

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name
        """The model asked; the service names none."""
        self.timestamp = datetime.now(UTC)
        """When the reply was begun; the service does not tell."""
        self._begun = self._told = False
        self._finish: str | None = None
        self._builder = BlockBuilder()
        self._blocks = 0
        self._open: dict[int, _Open] = {}
        self._sealed = False
        """Whether there is a part that means something to this service alone."""
        self._names: dict[str, str] = {}
        """The service's tools that were called, by the ids of the calls."""
        self._details: JSON = {}
        self._usage: JSON = {}

    @property
    def ended(self) -> bool:
        """Whether the message has stopped and its usage was told, which comes last."""
        return self._finish is not None and self._told

    @property
    def lacks(self) -> str | None:
        """What is wrong with a stream that ends here."""
        if not self._begun:
            return "holds no message"
        return None if self._finish is not None else "is cut off"

    def add(self, body: str) -> list[ModelResponseStreamEvent]:
        """Take the data of an event.

        Raises:
            ModelHTTPError: it is an error of a known type.
            UnexpectedModelBehavior: it is any other error, or nothing that this protocol has.
        """
        event = read(Event, body, self.model_name)
        if event.exception is not None:
            raise _error(event.exception, self.model_name, body)
        self._begun = self._begun or event.messageStart is not None
        if event.messageStop is not None:
            self._end(event.messageStop)
        if event.metadata is not None:
            self._tell(event.metadata)
        if event.contentBlockStop is not None:
            return self._stop(event.contentBlockStop.contentBlockIndex, body)
        if event.contentBlockStart is not None:
            return self._add(event.contentBlockStart.contentBlockIndex, event.contentBlockStart.start)
        if event.contentBlockDelta is not None:
            return self._add(event.contentBlockDelta.contentBlockIndex, event.contentBlockDelta.delta, whole=False)
        return []

    def add_whole(self, body: str | bytes) -> None:
        """Take a whole reply.

        Raises:
            UnexpectedModelBehavior: it is none.
        """
        whole = read(Whole, body, self.model_name)
        if whole.output is None or whole.output.message is None:
            raise UnexpectedModelBehavior(f"the reply of {self.model_name!r} holds no message", as_text(body))
        for index, block in enumerate(whole.output.message.content):
            self._add(index, block)
            self._stop(index, as_text(body))
        self._end(whole)
        self._tell(whole)

    def response(self) -> ModelResponse:
        """The reply so far."""
        details = {**deepcopy(self._details), **self._builder.kept}
        return ModelResponse(
            self._builder.parts,
            self.model_name,
            self.timestamp,
            finish_reason=FINISH.get(self._finish or ""),
            provider_details=marked(SYSTEM, details) if details or self._sealed else None,
        )

    def usage(self) -> Usage:
        """The usage so far."""
        if not self._usage:
            return Usage()
        counts = self._usage
        prompt = sum(count(counts, name) or 0 for name in PARTS_OF_PROMPT)
        reply = count(counts, "outputTokens") or 0
        return Usage(0, prompt, reply, prompt + reply, _details(counts) or None)

    def _end(self, end: End) -> None:
        self._finish = end.stopReason or self._finish
        if FINISH.get(self._finish or "") in {"content_filter", "error"}:
            self._details["stop_reason"] = self._finish
        if end.additionalModelResponseFields is not None:
            self._details["additional_fields"] = end.additionalModelResponseFields

    def _tell(self, metadata: Metadata) -> None:
        self._told = True
        self._usage = metadata.usage or self._usage
        if metadata.trace is not None:
            self._details["trace"] = metadata.trace

    def _add(self, index: int, block: Block, *, whole: bool = True) -> list[ModelResponseStreamEvent]:
        """Take a block, its beginning, or, if it is not `whole`, a further piece."""
        opened = self._open.get(index)
        begins = opened is None
        if opened is None:
            opened = self._open[index] = _Open(self._blocks)
            self._blocks += 1
        if block.text is not None:
            return self._builder.text(block.text)
        if block.toolUse is not None and not self._is_services(block.toolUse, opened):
            call = block.toolUse
            return self._builder.tool_call(opened.key, name=call.name, args=call.input, call_id=call.toolUseId)
        if block.reasoningContent is not None:
            return self._think(opened, block.reasoningContent, begins=begins)
        if block.citation is not None or block.citationsContent is not None:
            return self._cite(block)
        if whole or opened.service is not None:  # other pieces are of a kind that we do not know
            self._serve(opened, block)
        return []

    def _is_services(self, call: Call, opened: _Open) -> bool:
        return call.type == SERVICE_CALL or opened.service is not None

    def _think(self, opened: _Open, thought: Reasoning, *, begins: bool) -> list[ModelResponseStreamEvent]:
        said = thought.reasoningText or thought
        if thought.redactedContent is not None:
            self._sealed = True
            opened.sealed += thought.redactedContent
            data = base64.b64encode(opened.sealed).decode()
            return self._builder.part(opened.key, ThinkingPart("", Redacted.CONTENT, data))
        self._sealed = self._sealed or bool(said.signature)
        if begins:
            return self._builder.part(opened.key, ThinkingPart(said.text or "", signature=said.signature or None))
        return self._builder.thinking(said.text or "", signature=said.signature)

    def _cite(self, block: Block) -> list[ModelResponseStreamEvent]:
        cited = block.citationsContent or Cited()
        citations = [*(cited.citations or []), *([block.citation] if block.citation is not None else [])]
        if citations:
            self._details.setdefault("citations", []).extend(citations)
        return self._builder.text("".join(said.text or "" for said in cited.content or []))

    def _serve(self, opened: _Open, block: Block) -> None:
        if opened.service is None:
            opened.place = self._builder.place()
            opened.service = {}
        raw = block.model_dump(exclude_unset=True)
        for name, value in raw.items():
            if isinstance(value, list):  # the pieces of a result
                result = as_object(opened.service.get(name))
                held: object = result.get("content")
                pieces = cast("list[object]", held) if isinstance(held, list) else []  # cast: these are of JSON
                opened.service[name] = {**result, "content": [*pieces, *cast("list[object]", value)]}
                continue
            fields, is_object = as_object(value), isinstance(value, dict)
            if isinstance(fields.get("input"), str):
                opened.pieces.append(fields["input"])
            else:
                opened.service[name] = {**as_object(opened.service.get(name)), **fields} if is_object else value

    def _stop(self, index: int, body: str) -> list[ModelResponseStreamEvent]:
        opened = self._open.pop(index, None)
        if opened is None or opened.service is None:
            return []
        if any(opened.pieces):
            begun = as_object(opened.service.get("toolUse"))
            opened.service["toolUse"] = {**begun, "input": joined_input(opened.pieces, self.model_name, body)}
        part = _native_part(opened.service, self._names)
        if part is None:
            self._builder.keep(opened.place, opened.service)
            return []
        self._sealed = True  # it goes back to this service alone
        self._names[part.tool_call_id or ""] = part.tool_name
        return self._builder.part(opened.key, part)


def _native_part(block: JSON, names: Mapping[str, str]) -> NativePart | None:
    """The part that a block of the service's own is, given the names of earlier calls; None if it is about no tool."""
    call, result = as_object(block.get("toolUse")), as_object(block.get("toolResult"))
    if call:
        path = ["toolUse", "input"] if isinstance(call.get("input"), dict) else None
        return native_call(str(call.get("name")), call.get("toolUseId"), call.get("input"), block, path)
    if not result:
        return None
    name = names.get(str(result.get("toolUseId")), str(result.get("type")).removesuffix("_result"))
    match result.get("content"):
        case [{"json": content}]:
            return native_return(name, result.get("toolUseId"), content, block, ["toolResult", "content", 0, "json"])
        case content:
            path = ["toolResult", "content"] if "content" in result else None
            return native_return(name, result.get("toolUseId"), content, block, path)


def _details(counts: JSON) -> dict[str, int]:
    cached = as_objects(counts.get("cacheDetails"))
    details = {
        "cache_read_tokens": count(counts, "cacheReadInputTokens") or 0,
        "cache_write_tokens": count(counts, "cacheWriteInputTokens") or 0,
        "cache_write_1h_tokens": sum(count(each, "inputTokens") or 0 for each in cached if each.get("ttl") == "1h"),
        **{name: number for name, number in as_object(counts.get("serverToolUsage")).items() if type(number) is int},
    }
    return {name: number for name, number in details.items() if number}


def _error(exception: ExceptionEvent, model_name: str, body: str) -> ModelHTTPError | UnexpectedModelBehavior:
    return error_inside(STATUSES.get(exception.type), model_name, body)
