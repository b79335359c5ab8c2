"""Replies of a chat completion, whole or in pieces, read by the same few lines.

A whole reply is a stream of one chunk whose `message` is the only delta, so both end in one mapping of parts, finish
reasons and usage. Nothing here reads a socket or a clock, but for the time of a reply that tells none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from agentgraph.exceptions import ModelHTTPError, UnexpectedModelBehavior
from agentgraph.messages import FinishReason, ModelResponse, ModelResponseStreamEvent, ReplyBuilder, ThinkingPart
from agentgraph.usage import Usage

__all__ = ["ChatReply", "decode"]

FINISH: Mapping[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_call",
    "function_call": "tool_call",
    "content_filter": "content_filter",
    "error": "error",
}
PARTS_OF_PROMPT = {"cached_tokens": "cache_read_tokens", "audio_tokens": "input_audio_tokens"}
PARTS_OF_REPLY = {"audio_tokens": "output_audio_tokens"}
COUNTED = frozenset({"prompt_tokens", "completion_tokens", "total_tokens"})

JSON = dict[str, Any]  # Any: JSON


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Function(_Wire):
    name: str | None = None
    arguments: str | JSON | None = None


class _Call(_Wire):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Delta(_Wire):
    content: str | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    reasoning_details: list[JSON] | None = None
    tool_calls: list[_Call] | None = None
    annotations: list[object] | None = None


class _Choice(_Wire):
    delta: _Delta | None = None
    message: _Delta | None = None
    finish_reason: str | None = None
    logprobs: JSON | None = None


class _Chunk(_Wire):
    id: str | None = None
    model: str | None = None
    created: float | None = None
    choices: list[_Choice] | None = None
    usage: JSON | None = None
    error: object = None


def decode(body: str | bytes, model_name: str) -> tuple[ModelResponse, Usage]:
    """A whole reply.

    Raises:
        ModelHTTPError: the body is an error that came with a status of success.
        UnexpectedModelBehavior: the body is no reply.
    """
    reply = ChatReply(model_name)
    reply.add(body)
    if not reply.begun:
        raise UnexpectedModelBehavior(f"the reply of {model_name!r} holds no choices", _text(body))
    return reply.response(), reply.usage()


class ChatReply:
    """One reply being put together."""

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name
        """The model asked, then the model that the service says has answered."""
        self.timestamp = datetime.now(UTC)
        """When the reply was made: now, then what the service says."""
        self.begun = False
        """Whether there was any choice."""
        self.finish: str | None = None
        """The service's own finish reason."""
        self._builder = ReplyBuilder()
        self._calls = 0
        self._open: dict[int | None, tuple[int, str | None]] = {}
        """By the service's index: our key of the call that pieces go to, and the call's id."""
        self._id: str | None = None
        self._details: JSON = {}
        self._usage: JSON = {}

    def add(self, body: str | bytes) -> list[ModelResponseStreamEvent]:
        """Take a chunk of a stream, or the whole of a reply.

        Raises:
            ModelHTTPError: it is an error with a status.
            UnexpectedModelBehavior: it is any other error, or nothing that this protocol has.
        """
        try:
            chunk = _Chunk.model_validate_json(body)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(step) for step in problem["loc"])
            raise UnexpectedModelBehavior(
                f"the reply of {self.model_name!r} is malformed{place and f' at {place}'}: {problem['msg']}",
                _text(body),
            ) from None
        if chunk.error is not None:
            raise _error(chunk.error, self.model_name, _text(body))
        self._note(chunk)
        if not chunk.choices:
            return []
        self.begun = True
        choice = chunk.choices[0]  # there are more only if somebody asked for alternatives
        self.finish = self.finish if choice.finish_reason is None else choice.finish_reason
        if choice.logprobs and any(choice.logprobs.values()):
            self._details.setdefault("logprobs", []).extend(choice.logprobs.get("content") or [])
        delta = choice.delta or choice.message
        return [] if delta is None else self._add(delta, whole=choice.message is not None)

    def response(self) -> ModelResponse:
        """The reply so far."""
        parts = self._builder.parts
        finish = self.finish
        if finish == "":  # some services leave it empty
            finish = "tool_calls" if self._calls else "stop"
        return ModelResponse(
            parts,
            self.model_name,
            self.timestamp,
            finish_reason="content_filter" if "refusal" in self._details else FINISH.get(finish or ""),
            provider_response_id=self._id,
            provider_details=deepcopy(self._details) or None,
        )

    def usage(self) -> Usage:
        """The usage so far."""
        if not self._usage:
            return Usage()
        prompt, reply = _count(self._usage, "prompt_tokens"), _count(self._usage, "completion_tokens")
        total = _count(self._usage, "total_tokens")
        both = None if prompt is None and reply is None else (prompt or 0) + (reply or 0)
        return Usage(0, prompt, reply, both if total is None else total, _usage_details(self._usage) or None)

    def _note(self, chunk: _Chunk) -> None:
        self._id = chunk.id or self._id
        self.model_name = chunk.model or self.model_name
        self._usage = chunk.usage or self._usage
        if chunk.created:
            with suppress(ValueError, OverflowError, OSError):  # a number that is no time
                self.timestamp = datetime.fromtimestamp(chunk.created, UTC)

    def _add(self, delta: _Delta, *, whole: bool) -> list[ModelResponseStreamEvent]:
        events = self._think(delta)
        events += self._builder.text(delta.content or "")
        if delta.refusal:
            self._details["refusal"] = self._details.get("refusal", "") + delta.refusal
            events += self._builder.text(delta.refusal)
        if delta.annotations:
            self._details.setdefault("annotations", []).extend(delta.annotations)
        for position, call in enumerate(delta.tool_calls or []):
            events += self._call(call, position if whole else call.index)
        return events

    def _think(self, delta: _Delta) -> list[ModelResponseStreamEvent]:
        if not delta.reasoning_details:
            return self._builder.thinking(delta.reasoning_content or delta.reasoning or "")
        events: list[ModelResponseStreamEvent] = []
        for piece in delta.reasoning_details:
            position, block = self._keep(piece)
            own = None if block.get("id") is None else str(block["id"])
            if block.get("data") is not None:
                events += self._builder.part(("block", position), ThinkingPart("", own, str(block["data"])))
            else:
                text, seal = piece.get("text") or piece.get("summary") or "", piece.get("signature") or None
                events += self._builder.thinking(str(text), signature=None if seal is None else str(seal), id=own)
        return events

    def _keep(self, piece: JSON) -> tuple[int, JSON]:
        """Keep a block of thinking as it has to be sent back, its pieces put together again; which one it is."""
        blocks: list[JSON] = self._details.setdefault("reasoning_details", [])
        if not blocks or any(blocks[-1].get(key) != piece.get(key) for key in ("index", "type")):
            blocks.append(dict(piece))
            return len(blocks), blocks[-1]
        block = blocks[-1]
        for key, value in piece.items():
            grows = key in {"text", "summary", "data"} and isinstance(value, str) and isinstance(block.get(key), str)
            if value is not None:
                block[key] = block[key] + value if grows else value
        return len(blocks), block

    def _call(self, call: _Call, index: int | None) -> list[ModelResponseStreamEvent]:
        function = call.function or _Function()
        key, known = self._open.get(index, (-1, None))
        if key < 0 or _starts(call, function, index, known):
            key, known = self._calls, None
            self._calls += 1
        self._open[index] = (key, known or call.id or None)
        return self._builder.tool_call(key, name=function.name, args=function.arguments, call_id=call.id)


def _starts(call: _Call, function: _Function, index: int | None, known: str | None) -> bool:
    """Whether a piece starts a call although its index has one: some services number all 0, or not at all.

    Such services send calls whole, so a name comes with each.
    """
    if not function.name:
        return False
    if index is None:
        return not call.id or call.id != known
    return known is not None and (call.id or known) != known


def _usage_details(usage: JSON) -> dict[str, int]:
    """All counts beside the three main ones, but for zeros."""
    sources: list[tuple[JSON, Mapping[str, str]]] = [
        (usage, PARTS_OF_PROMPT),
        (_object(usage.get("prompt_tokens_details")), PARTS_OF_PROMPT),
        (_object(usage.get("completion_tokens_details")), PARTS_OF_REPLY),
    ]
    return {
        names.get(key, key): count
        for counts, names in sources
        for key in counts
        if key not in COUNTED and (count := _count(counts, key))
    }


def _object(value: object) -> JSON:
    return cast("JSON", value) if isinstance(value, dict) else {}  # cast: the objects of JSON have text as keys


def _count(counts: JSON, key: str) -> int | None:
    value = counts.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _error(error: object, model_name: str, body: str) -> ModelHTTPError | UnexpectedModelBehavior:
    """An error that came with a status of success; some carry the status that it should have had."""
    code = _count(_object(error), "code")
    if code is not None and 400 <= code < 600:  # noqa: PLR2004
        return ModelHTTPError(code, model_name, json.loads(body))
    return UnexpectedModelBehavior(f"{model_name!r} answered with an error instead of a reply", body)


def _text(body: str | bytes) -> str:
    return body if isinstance(body, str) else body.decode(errors="replace")
