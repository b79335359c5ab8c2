"""Replies of `generateContent`, whole or in pieces, read by the same few lines.

Each chunk of a stream looks like a whole reply that holds some of the parts, so there is nothing to tell apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from agentgraph.exceptions import UnexpectedModelBehavior
from agentgraph.messages import (
    FinishReason,
    ModelResponse,
    ModelResponseStreamEvent,
    NativeToolCallPart,
    PartStartEvent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from agentgraph.usage import Usage

from .gemini_native import grounding_parts, native_part
from .gemini_signatures import kept_signatures
from .origin import marked
from .service_blocks import BlockBuilder, is_native
from .wire import JSON, Wire, as_objects, as_text, count, error_inside, read

__all__ = ["GeminiReply", "decode"]

FINISH: Mapping[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    **dict.fromkeys(
        ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR"), "content_filter"
    ),
    **dict.fromkeys(("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"), "content_filter"),
    **dict.fromkeys(("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"), "error"),
    **dict.fromkeys(("MISSING_THOUGHT_SIGNATURE", "MALFORMED_RESPONSE", "LANGUAGE", "NO_IMAGE", "OTHER"), "error"),
}
KEPT = (
    *("groundingMetadata", "urlContextMetadata", "citationMetadata", "safetyRatings"),
    *("logprobsResult", "avgLogprobs", "finishMessage"),
)
"""What a candidate tells beside its content."""
DONE = "[DONE]"
"""What some gateways put at the end of every stream."""


class _Google(Wire):
    model_config = ConfigDict(alias_generator=to_camel)


class _Call(_Google):
    name: str
    args: JSON | None = None
    id: str | None = None


class _Part(_Google):
    model_config = ConfigDict(extra="allow")

    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: _Call | None = None


class _Content(_Google):
    parts: list[_Part] | None = None


class _Candidate(_Google):
    model_config = ConfigDict(extra="allow")

    content: _Content | None = None
    finish_reason: str | None = None


class _Chunk(_Google):
    candidates: list[_Candidate] | None = None
    prompt_feedback: JSON | None = None
    usage_metadata: JSON | None = None
    model_version: str | None = None
    response_id: str | None = None
    create_time: datetime | None = None
    error: JSON | None = None


def decode(body: str | bytes, model_name: str, system: str) -> tuple[ModelResponse, Usage]:
    """A whole reply.

    Raises:
        ModelHTTPError: the body is an error that came with a status of success.
        UnexpectedModelBehavior: the body is no reply.
    """
    reply = GeminiReply(model_name, system)
    reply.add(body)
    if not reply.begun:
        raise UnexpectedModelBehavior(f"the reply of {model_name!r} holds no candidates", as_text(body))
    return reply.response(), reply.usage()


class GeminiReply:
    """One reply being put together."""

    ended = False
    """Nothing says that a stream has ended but its end."""

    def __init__(self, model_name: str, system: str) -> None:
        self.model_name = model_name
        """The model asked, then the model that the service says has answered."""
        self.timestamp = datetime.now(UTC)
        """When the reply was made: now, then what the service says."""
        self.begun = False
        """Whether there was any candidate, or word of why there is none."""
        self._system = system
        self._builder = BlockBuilder()
        self._length = 0
        self._signatures: dict[int, str] = {}
        self._details: JSON = {}
        self._told: set[str] = set()
        """Tools of the service that are known from the details alone."""
        self._finish: str | None = None
        self._id: str | None = None
        self._usage: JSON = {}

    @property
    def lacks(self) -> str | None:
        """What is wrong if the stream ends here."""
        if self._finish is not None:
            return None
        return "is cut off" if self.begun else "holds no candidates"

    def add(self, body: str | bytes) -> list[ModelResponseStreamEvent]:
        """Take a chunk of a stream, or the whole of a reply.

        Raises:
            ModelHTTPError: it is an error with a status.
            UnexpectedModelBehavior: it is any other error, or nothing that this protocol has.
        """
        if as_text(body).strip() == DONE:
            return []
        chunk = read(_Chunk, body, self.model_name)
        if chunk.error is not None:
            raise error_inside(chunk.error.get("code"), self.model_name, body)
        self._note(chunk)
        if not chunk.candidates:
            return []
        self.begun = True
        candidate = chunk.candidates[0]  # there are more only if somebody asked for alternatives
        self._finish = candidate.finish_reason or self._finish
        told = candidate.model_extra or {}
        self._details |= {key: told[key] for key in KEPT if told.get(key)}
        parts = candidate.content.parts if candidate.content else None
        events = [event for part in parts or [] for event in self._part(part)]
        return events + (self._grounded() if self._finish is not None else [])

    def response(self) -> ModelResponse:
        """The reply so far."""
        parts = self._builder.parts
        finish = FINISH.get(self._finish or "")
        details = {**kept_signatures(self._signatures), **self._builder.kept, **self._details}
        if self._finish is not None and finish not in {"stop", "length"}:
            details["finishReason"] = self._finish
        if details or any(isinstance(part, ThinkingPart) or is_native(part) for part in parts):
            details = marked(self._system, deepcopy(details))
        return ModelResponse(
            parts,
            self.model_name,
            self.timestamp,
            finish_reason=finish,
            provider_response_id=self._id,
            provider_details=details or None,
        )

    def usage(self) -> Usage:
        """The usage so far."""
        return _usage(self._usage) if self._usage else Usage()

    def _note(self, chunk: _Chunk) -> None:
        self.model_name = chunk.model_version or self.model_name
        self._id = chunk.response_id or self._id
        self.timestamp = chunk.create_time or self.timestamp
        self._usage = chunk.usage_metadata or self._usage
        if chunk.prompt_feedback and chunk.prompt_feedback.get("blockReason"):
            self.begun = True
            self._finish = "PROHIBITED_CONTENT"
            self._details["promptFeedback"] = chunk.prompt_feedback

    def _part(self, part: _Part) -> list[ModelResponseStreamEvent]:
        if part.model_extra or (part.thought_signature and not (part.text or part.function_call)):
            # What we have no part for; also a signature that came after the text that it is for.
            block = part.model_dump(mode="json", by_alias=True, exclude_unset=True)
            native = native_part(block)
            if native is not None:
                return self._builder.part(object(), native)
            self._builder.keep(self._builder.place(), block)
            return []
        events = self._events(part)
        starts = [event.index for event in events if isinstance(event, PartStartEvent)]
        self._length = max([self._length, *(index + 1 for index in starts)])
        if part.thought_signature and not part.thought:
            self._signatures[self._length - 1] = part.thought_signature
        return events

    def _grounded(self) -> list[ModelResponseStreamEvent]:
        """Tell of searches and pages that were no parts; at the end, as a text would be cut in two by it."""
        known = {part.tool_name for part in self._builder.parts if isinstance(part, NativeToolCallPart)} - self._told
        parts = [part for part in grounding_parts(self._details) if part.tool_name not in known]
        self._told.update(part.tool_name for part in parts)
        return [event for part in parts for event in self._builder.part((part.tool_name, part.part_kind), part)]

    def _events(self, part: _Part) -> list[ModelResponseStreamEvent]:
        if part.function_call is not None:
            call = ToolCallPart(part.function_call.name, part.function_call.args or {}, part.function_call.id)
            return self._builder.part(("call", self._length), call)
        if part.thought:
            return self._builder.thinking(part.text or "", signature=part.thought_signature)
        if part.text and self._length - 1 in self._signatures:  # what is signed stays as it is
            return self._builder.part(("text", self._length), TextPart(part.text))
        return self._builder.text(part.text or "")


def _usage(counts: JSON) -> Usage:
    prompt = _sum(count(counts, "promptTokenCount"), count(counts, "toolUsePromptTokenCount"))
    reply = _sum(count(counts, "candidatesTokenCount"), count(counts, "thoughtsTokenCount"))
    total = count(counts, "totalTokenCount")
    named = {
        "cache_read_tokens": count(counts, "cachedContentTokenCount"),
        "reasoning_tokens": count(counts, "thoughtsTokenCount"),
        "tool_use_prompt_tokens": count(counts, "toolUsePromptTokenCount"),
        **_modalities(counts, "promptTokensDetails", "input"),
        **_modalities(counts, "candidatesTokensDetails", "output"),
    }
    details = {name: tokens for name, tokens in named.items() if tokens}
    return Usage(0, prompt, reply or 0, total if total is not None else _sum(prompt, reply), details or None)


def _modalities(counts: JSON, key: str, side: str) -> dict[str, int | None]:
    """The tokens of each kind of media; text is the rest."""
    told = as_objects(counts.get(key))
    kinds = [(str(entry.get("modality", "")).lower(), count(entry, "tokenCount")) for entry in told]
    return {f"{side}_{kind}_tokens": tokens for kind, tokens in kinds if kind not in {"", "text"}}


def _sum(a: int | None, b: int | None) -> int | None:
    return None if a is None and b is None else (a or 0) + (b or 0)
