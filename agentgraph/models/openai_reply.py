"""Replies of a chat completion, whole or in pieces, read by the same few lines.

A whole reply is a stream of one chunk whose `message` is the only delta, so both end in one mapping of parts, finish
reasons and usage. Nothing here reads a socket or a clock, but for the time of a reply that tells none.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime

from agentgraph.exceptions import UnexpectedModelBehavior
from agentgraph.messages import FinishReason, ModelResponse, ModelResponseStreamEvent, ReplyBuilder, ThinkingPart
from agentgraph.usage import Usage

from .openai_executed import executed_parts
from .openai_usage import usage_of
from .think_tags import Kind, ThinkTags
from .wire import JSON, Wire, as_object, as_text, count, error_inside, read

__all__ = ["ChatReply", "decode"]

DONE = "[DONE]"
FINISH: Mapping[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "model_length": "length",
    "tool_calls": "tool_call",
    "function_call": "tool_call",
    "content_filter": "content_filter",
    "error": "error",
}


class _Function(Wire):
    name: str | None = None
    arguments: str | JSON | None = None


class _Call(Wire):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Block(Wire):
    text: str | None = None
    thinking: list[_Block] | None = None


class _Delta(Wire):
    content: str | list[_Block] | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    reasoning_details: list[JSON] | None = None
    tool_calls: list[_Call] | None = None
    annotations: list[object] | None = None
    executed_tools: list[JSON] | None = None


class _Choice(Wire):
    delta: _Delta | None = None
    message: _Delta | None = None
    finish_reason: str | None = None
    logprobs: JSON | None = None


class _Chunk(Wire):
    id: str | None = None
    model: str | None = None
    created: float | None = None
    choices: list[_Choice] | None = None
    usage: JSON | None = None
    error: object = None
    x_groq: JSON | None = None


def decode(body: str | bytes, reply: ChatReply) -> tuple[ModelResponse, Usage]:
    """A whole reply, read into one that is still empty.

    Raises:
        ModelHTTPError: the body is an error that came with a status of success.
        UnexpectedModelBehavior: the body is no reply.
    """
    reply.add(body)
    if not reply.begun:
        raise UnexpectedModelBehavior(f"the reply of {reply.model_name!r} holds no choices", as_text(body))
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
        self.ended = False
        """Whether the service has said that the stream ends."""
        self._builder = ReplyBuilder()
        self._tags = ThinkTags()
        self._calls = 0
        self._open: dict[int | None, tuple[int, str | None]] = {}
        """By the service's index: our key of the call that pieces go to, and the call's id."""
        self._executed: dict[Hashable, JSON] = {}
        """What the service did with tools of its own, by its index."""
        self._id: str | None = None
        self._created: float | None = None
        self._details: JSON = {}
        self._usage: JSON = {}

    @property
    def lacks(self) -> str | None:
        """What is wrong if the stream ends here."""
        if not self.begun:
            return "holds no choices"
        return None if self.ended or self.finish is not None else "is cut off"

    def add(self, body: str | bytes) -> list[ModelResponseStreamEvent]:
        """Take a chunk of a stream, or the whole of a reply.

        Raises:
            ModelHTTPError: it is an error with a status.
            UnexpectedModelBehavior: it is any other error, or nothing that this protocol has.
        """
        if as_text(body).strip() == DONE:
            self.ended = True
            return self._sorted(self._tags.end())
        chunk = read(_Chunk, body, self.model_name)
        error = (chunk.x_groq or {}).get("error") if chunk.error is None else chunk.error
        if error is not None:
            return self.failed(error, body)
        self._note(chunk)
        if not chunk.choices:
            return []
        self.begun = True
        choice = chunk.choices[0]  # there are more only if somebody asked for alternatives
        self.finish = self.finish if choice.finish_reason is None else choice.finish_reason
        if choice.logprobs and any(choice.logprobs.values()):
            self._details.setdefault("logprobs", []).extend(choice.logprobs.get("content") or [])
        delta = choice.delta or choice.message
        whole = choice.message is not None
        events = [] if delta is None else self._add(delta, whole=whole)
        return events + (self._sorted(self._tags.end()) if whole or choice.finish_reason is not None else [])

    def failed(self, error: object, body: str | bytes) -> list[ModelResponseStreamEvent]:
        """Take an error that came with a status of success; some carry the status that it should have had.

        Raises:
            ModelHTTPError: the error with its status.
            UnexpectedModelBehavior: the error without one.
        """
        raise error_inside(count(as_object(error), "code"), self.model_name, body)

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
        return usage_of(self._usage, "prompt_tokens", "completion_tokens")

    def _note(self, chunk: _Chunk) -> None:
        self._id = chunk.id or self._id
        self.model_name = chunk.model or self.model_name
        if chunk.usage or chunk.x_groq:
            self._usage = chunk.usage or as_object((chunk.x_groq or {}).get("usage")) or self._usage
        if chunk.created and chunk.created != self._created:  # each chunk says it again
            self._created = chunk.created
            with suppress(ValueError, OverflowError, OSError):  # a number that is no time
                self.timestamp = datetime.fromtimestamp(chunk.created, UTC)

    def _add(self, delta: _Delta, *, whole: bool) -> list[ModelResponseStreamEvent]:
        thinks = delta.reasoning_details or delta.reasoning_content or delta.reasoning
        events = self._think(delta) if thinks else []
        events += self._text(delta.content)
        if delta.refusal:
            self._details["refusal"] = self._details.get("refusal", "") + delta.refusal
            events += self._builder.text(delta.refusal)
        if delta.annotations:
            self._details.setdefault("annotations", []).extend(delta.annotations)
        if delta.executed_tools:
            events += self._execute(delta.executed_tools)
        for position, call in enumerate(delta.tool_calls or []):
            events += self._call(call, position if whole else call.index)
        return events

    def _text(self, content: str | list[_Block] | None) -> list[ModelResponseStreamEvent]:
        if not isinstance(content, list):
            if self._tags.passed and content:
                return self._builder.text(content)
            return self._sorted(self._tags.add(content)) if content else []
        events: list[ModelResponseStreamEvent] = []
        for block in content:
            events += self._builder.thinking("".join(thought.text or "" for thought in block.thinking or []))
            events += self._builder.text(block.text or "")
        return events

    def _sorted(self, pieces: list[tuple[Kind, str]]) -> list[ModelResponseStreamEvent]:
        events: list[ModelResponseStreamEvent] = []
        for kind, piece in pieces:
            events += self._builder.thinking(piece) if kind == "thinking" else self._builder.text(piece)
        return events

    def _execute(self, tools: list[JSON]) -> list[ModelResponseStreamEvent]:
        """Tell what the service did with tools of its own, the pieces of one call put together."""
        events: list[ModelResponseStreamEvent] = []
        for tool in tools:
            index: Hashable = tool.get("index", object())  # one without an index has come whole
            known = self._executed[index] = {**self._executed.get(index, {}), **tool}
            for part in executed_parts(known):
                events += self._builder.part((index, part.part_kind), part)
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
