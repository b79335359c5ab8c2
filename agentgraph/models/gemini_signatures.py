"""Signatures that Gemini puts on any part of a reply, and wants back on the same part.

Texts and calls have no field for one, so they are kept in `provider_details` by the index of their part. A history may
be changed before it is sent again (calls that nothing answers are left out), so indices are resolved first: `signed`
hands out parts that carry their signature.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from agentgraph.messages import (
    ModelMessage,
    ModelResponse,
    ModelResponsePart,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)

from .origin import made_by
from .wire import JSON

__all__ = ["SignedCall", "SignedText", "kept_signatures", "signature_of", "signed"]

SIGNATURES = "signatures"


@dataclass(slots=True)
class SignedText(TextPart):
    """A text and its signature."""

    signature: str | None = None


@dataclass(slots=True)
class SignedCall(ToolCallPart):
    """A call and its signature."""

    signature: str | None = None


def kept_signatures(signatures: Mapping[int, str]) -> JSON:
    """The details of a reply that hold signatures, by the index of their part."""
    return {SIGNATURES: {str(index): signature for index, signature in signatures.items()}} if signatures else {}


def signed(message: ModelMessage, system: str) -> ModelMessage:
    """The message, its parts with their signatures; other services' replies without their thoughts."""
    if not isinstance(message, ModelResponse):
        return message
    if not made_by(message, system):
        return replace(message, parts=[part for part in message.parts if not isinstance(part, ThinkingPart)])
    signatures: Mapping[str, str] = (message.provider_details or {}).get(SIGNATURES, {})
    parts = [_signed(part, signatures.get(str(index))) for index, part in enumerate(message.parts)]
    return replace(message, parts=parts)


def signature_of(part: TextPart | ThinkingPart | ToolCallPart) -> str | None:
    """The signature that a part carries."""
    return part.signature if isinstance(part, SignedText | SignedCall | ThinkingPart) else None


def _signed(part: ModelResponsePart, signature: str | None) -> ModelResponsePart:
    match part:
        case TextPart():
            return SignedText(part.content, signature=signature)
        case ToolCallPart():
            return SignedCall(part.tool_name, part.args, part.tool_call_id, signature=signature)
        case ThinkingPart() | NativeToolCallPart() | NativeToolReturnPart():
            return part
        case _:
            assert_never(part)
