"""A chat completion request as a model sees it: what was said, which tools there are, what they have answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic_core import from_json

__all__ = ["Answered", "Call", "ChatRequest", "Conversation", "Reply"]

JSON = dict[str, Any]  # Any: JSON


class _Function(BaseModel):
    name: str
    description: str = ""
    parameters: JSON = {}
    arguments: str = "{}"


class _Tool(BaseModel):
    function: _Function


class _Call(BaseModel):
    id: str
    function: _Function


class _Message(BaseModel):
    role: str
    content: str | list[JSON] | None = None
    tool_calls: list[_Call] = []
    tool_call_id: str | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "\n".join(str(item["text"]) for item in self.content if "text" in item)
        return self.content or ""


class ChatRequest(BaseModel):
    """The body of a request, as far as it matters here."""

    model_config = ConfigDict(extra="ignore")

    model: str
    messages: list[_Message]
    tools: list[_Tool] = []
    stream: bool = False


@dataclass(frozen=True)
class Call:
    """A tool to be called."""

    tool: str
    arguments: Mapping[str, Any]  # Any: JSON


@dataclass(frozen=True)
class Reply:
    """What the model says, and which tools it calls."""

    text: str
    calls: Sequence[Call] = ()


@dataclass(frozen=True)
class Answered:
    """A call that was answered."""

    call: Call
    content: Any  # Any: JSON
    """What the tool returned; None if it asked to be called differently."""
    text: str
    """The answer as it came."""


@dataclass(frozen=True)
class Conversation:
    """A request, taken apart."""

    instructions: str
    """What the developer says."""
    said: Sequence[str]
    """What the user says, message by message."""
    tools: Mapping[str, JSON]
    """The schemas of the arguments, by the tool's name."""
    answered: Sequence[Answered]

    @classmethod
    def of(cls, request: ChatRequest) -> Conversation:
        """Take a request apart."""
        return cls(
            instructions="\n".join(each.text for each in request.messages if each.role in ("system", "developer")),
            said=[each.text for each in request.messages if each.role == "user"],
            tools={tool.function.name: tool.function.parameters for tool in request.tools},
            answered=list(_answered(request.messages)),
        )

    def outcome(self, tool: str) -> Any:  # Any: JSON
        """What the tool's newest successful call returned; None if there was none."""
        found = [each.content for each in self.answered if each.call.tool == tool and each.content is not None]
        return found[-1] if found else None

    @property
    def refusal(self) -> str | None:
        """What the newest answer says, if it says that the call cannot be."""
        newest = self.answered[-1] if self.answered else None
        return newest.text if newest is not None and newest.content is None else None


def _answered(messages: Sequence[_Message]) -> Iterator[Answered]:
    calls: dict[str, Call] = {}
    for message in messages:
        for call in message.tool_calls:
            calls[call.id] = Call(call.function.name, _json(call.function.arguments) or {})
        made = calls.get(message.tool_call_id or "")
        if message.role == "tool" and made is not None:
            yield Answered(made, _json(message.text), message.text)


def _json(text: str) -> Any:  # Any: JSON
    try:
        return from_json(text)
    except ValueError:
        return None
