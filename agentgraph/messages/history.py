"""Requests and responses: the messages a conversation is made of, and their JSON."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from functools import partial
from operator import eq
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import ConfigDict, Field, TypeAdapter

from .parts import ModelRequestPart, ModelResponsePart, is_none, now_utc

__all__ = [
    "FinishReason",
    "ModelMessage",
    "ModelMessagesTypeAdapter",
    "ModelRequest",
    "ModelResponse",
    "ResponseState",
]

FinishReason: TypeAlias = Literal["stop", "length", "tool_call", "content_filter", "error"]
"""Why the model stopped, in one word for all services."""

ResponseState: TypeAlias = Literal["complete", "interrupted"]
"""Whether a reply came to its end or was cut off by a cancel."""


@dataclass(slots=True)
class ModelRequest:
    """A message to the model."""

    parts: list[ModelRequestPart]
    kind: Literal["request"] = "request"


@dataclass(slots=True)
class ModelResponse:
    """A reply of the model. The keyword-only fields are left out of JSON while they hold their defaults."""

    parts: list[ModelResponsePart]
    model_name: str | None = None
    """The name that the service gave for the model that answered."""
    timestamp: datetime = field(default_factory=now_utc)
    """When the reply was made: the service's time if it tells one."""
    kind: Literal["response"] = "response"
    _: KW_ONLY
    finish_reason: Annotated[FinishReason | None, Field(exclude_if=is_none)] = None
    provider_response_id: Annotated[str | None, Field(exclude_if=is_none)] = None
    provider_details: Annotated[dict[str, Any] | None, Field(exclude_if=is_none)] = None  # Any: JSON
    """What only this service tells, and may want back."""
    state: Annotated[ResponseState, Field(exclude_if=partial(eq, "complete"))] = "complete"


ModelMessage: TypeAlias = Annotated[ModelRequest | ModelResponse, Field(discriminator="kind")]
"""One message of a conversation."""

ModelMessagesTypeAdapter: TypeAdapter[list[ModelMessage]] = TypeAdapter(
    list[ModelMessage], config=ConfigDict(defer_build=True, ser_json_bytes="base64", val_json_bytes="base64")
)
"""Writes and reads conversations; bytes are base64 (both alphabets are read). Built at its first use."""
