"""The parts that requests and responses are made of.

Parts are mutable only because programs written for the given API expect it; agentgraph itself treats them as
values and never changes one. Their constructors validate nothing: what comes in as bytes goes through
`ModelMessagesTypeAdapter`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from operator import is_
from typing import Annotated, Any, Literal, TypeAlias, cast

from pydantic import Field, PlainSerializer
from pydantic_core import ErrorDetails, from_json, to_json, to_jsonable_python

from agentgraph.exceptions import UnexpectedModelBehavior

from .media import UserContent

__all__ = [
    "ModelRequestPart",
    "ModelResponsePart",
    "NativeToolCallPart",
    "NativeToolReturnPart",
    "RetryPromptPart",
    "SystemPromptPart",
    "TextPart",
    "ThinkingPart",
    "ToolCallPart",
    "ToolReturnPart",
    "UserPromptPart",
    "is_none",
    "now_utc",
]


def now_utc() -> datetime:
    """When a part is made, unless its maker says otherwise."""
    return datetime.now(UTC)


is_none: Callable[[object], bool] = partial(is_, None)
"""Whether a field that JSON leaves out at its default None holds it. Asked for each such field of what is written."""


def _jsonable(error: ErrorDetails) -> dict[str, Any]:  # Any: JSON
    # `ctx` can hold the exception that a validator raised, which JSON cannot.
    jsonable: dict[str, Any] = to_jsonable_python(error, fallback=str, bytes_mode="base64")
    return jsonable


def _storable(content: Any) -> Any:  # Any: whatever a tool returned, and JSON
    # Bytes by hand: what is typed Any follows the settings of whichever adapter it is written by.
    if isinstance(content, str):
        return content
    return to_jsonable_python(content, bytes_mode="base64")


StoredError = Annotated[ErrorDetails, PlainSerializer(_jsonable, when_used="json")]


@dataclass(slots=True)
class SystemPromptPart:
    """Instructions of the developer."""

    content: str
    dynamic_ref: str | None = None
    """The qualified name of the function that made it, if it is made anew for each run."""
    part_kind: Literal["system-prompt"] = "system-prompt"


@dataclass(slots=True)
class UserPromptPart:
    """What the user says."""

    content: str | Sequence[UserContent]
    timestamp: datetime = field(default_factory=now_utc)
    part_kind: Literal["user-prompt"] = "user-prompt"


@dataclass(slots=True)
class ToolReturnPart:
    """What a tool gave back."""

    tool_name: str
    content: Annotated[Any, PlainSerializer(_storable, when_used="json")]  # Any: whatever the tool returned
    tool_call_id: str | None = None
    timestamp: datetime = field(default_factory=now_utc)
    part_kind: Literal["tool-return"] = "tool-return"

    def model_response_str(self) -> str:
        """The content as text: a string as it is, anything else as compact JSON."""
        if isinstance(self.content, str):
            return self.content
        return to_json(self.content, bytes_mode="base64", inf_nan_mode="null").decode()

    def model_response_object(self) -> dict[str, Any]:  # Any: JSON
        """The content as a JSON object; what is none is put under `return_value`."""
        # Judged after it became JSON, so that a part read back from a store looks the same to the model.
        content = to_jsonable_python(self.content, bytes_mode="base64", inf_nan_mode="null")
        if isinstance(content, dict):
            return cast("dict[str, Any]", content)  # the keys of JSON are strings
        return {"return_value": content}


@dataclass(slots=True)
class RetryPromptPart:
    """Tells the model what was wrong with its reply; `tool_name` is None if it was not about a tool call."""

    content: str | list[StoredError]
    tool_name: str | None = None
    tool_call_id: str | None = None
    timestamp: datetime = field(default_factory=now_utc)
    part_kind: Literal["retry-prompt"] = "retry-prompt"

    def model_response(self) -> str:
        """The text for the model."""
        if isinstance(self.content, str):
            problem = self.content
        else:
            count = len(self.content)
            errors = [
                {key: value for key, value in _jsonable(error).items() if key not in {"url", "ctx"}}
                for error in self.content
            ]
            noun = "error" if count == 1 else "errors"
            problem = f"{count} validation {noun}:\n{to_json(errors, indent=2).decode()}"
        return f"{problem}\n\nPlease fix the errors and try again."


@dataclass(slots=True)
class TextPart:
    """Text of the model."""

    content: str
    part_kind: Literal["text"] = "text"

    def has_content(self) -> bool:
        """Whether there is any text."""
        return bool(self.content)


@dataclass(slots=True)
class ThinkingPart:
    """What the model thought before it answered; some services want it sent back unchanged."""

    content: str
    id: Annotated[str | None, Field(exclude_if=is_none)] = None
    """The service's own name for it."""
    signature: Annotated[str | None, Field(exclude_if=is_none)] = None
    """The service's seal, or its encrypted form of the thought."""
    part_kind: Literal["thinking"] = "thinking"

    def has_content(self) -> bool:
        """Whether there is anything to read or to send back."""
        return bool(self.content or self.signature)


@dataclass(slots=True)
class ToolCallPart:
    """The model asks for a tool."""

    tool_name: str
    args: str | dict[str, Any]  # Any: JSON
    """The arguments: JSON text (empty for none), or an object."""
    tool_call_id: str | None = None
    """The model's own id of the call; None if it gave none."""
    part_kind: Literal["tool-call"] = "tool-call"

    def args_as_dict(self) -> dict[str, Any]:  # Any: JSON
        """The arguments as an object, empty if there are none.

        Raises:
            UnexpectedModelBehavior: they are text that is no JSON object.
        """
        if isinstance(self.args, dict):
            return self.args
        if not self.args.strip():
            return {}
        try:
            parsed: object = from_json(self.args)
        except ValueError as error:
            raise self._unusable(f"no JSON ({error})") from None
        if not isinstance(parsed, dict):
            raise self._unusable("no JSON object")
        return cast("dict[str, Any]", parsed)  # the keys of JSON are strings

    def args_as_json_str(self) -> str:
        """The arguments as JSON text; text of the model is handed on as it came, an empty one as `{}`."""
        if isinstance(self.args, str):
            return self.args if self.args.strip() else "{}"
        return to_json(self.args).decode()

    def has_content(self) -> bool:
        """Whether there are any arguments."""
        return bool(self.args)

    def _unusable(self, why: str) -> UnexpectedModelBehavior:
        body = self.args if isinstance(self.args, str) else None
        return UnexpectedModelBehavior(f"the arguments of the call of {self.tool_name!r} are {why}", body)


@dataclass(slots=True)
class NativeToolCallPart:
    """The service has called a tool that it runs by itself, such as a search. It is told here, and never run by us."""

    tool_name: str
    """What the tool is, in one word for all services: `web_search`, `code_execution`; of a server of tools its name."""
    args: dict[str, Any] = field(default_factory=dict[str, Any])  # Any: JSON
    """What it was called with, as far as the service tells."""
    tool_call_id: str | None = None
    provider_details: Annotated[dict[str, Any] | None, Field(exclude_if=is_none)] = None  # Any: JSON
    """What the same service wants back."""
    part_kind: Literal["native-tool-call"] = "native-tool-call"


@dataclass(slots=True)
class NativeToolReturnPart:
    """What a tool that the service runs by itself gave back."""

    tool_name: str
    """As that of the call."""
    content: Annotated[Any, PlainSerializer(_storable, when_used="json")] = None  # Any: JSON
    """What the service tells of it; None if nothing."""
    tool_call_id: str | None = None
    provider_details: Annotated[dict[str, Any] | None, Field(exclude_if=is_none)] = None  # Any: JSON
    """What the same service wants back."""
    part_kind: Literal["native-tool-return"] = "native-tool-return"


ModelRequestPart: TypeAlias = Annotated[
    SystemPromptPart | UserPromptPart | ToolReturnPart | RetryPromptPart, Field(discriminator="part_kind")
]
"""A part of what is sent to the model."""

ModelResponsePart: TypeAlias = Annotated[
    TextPart | ToolCallPart | ThinkingPart | NativeToolCallPart | NativeToolReturnPart, Field(discriminator="part_kind")
]
"""A part of a reply."""
