"""An agent by hand: typed messages and nodes, validated arguments, nothing that this one agent does not need."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, TypeAdapter
from work import ANSWER, call

__all__ = [
    "MESSAGE",
    "Ask",
    "Context",
    "Ending",
    "Handle",
    "Message",
    "Reply",
    "Request",
    "Save",
    "Start",
    "State",
    "Usage",
    "drive",
    "model",
]


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class UserPart:
    content: str
    timestamp: datetime = field(default_factory=now)
    kind: Literal["user"] = "user"


@dataclass(slots=True)
class ReturnPart:
    tool: str
    content: str
    call_id: str
    timestamp: datetime = field(default_factory=now)
    kind: Literal["return"] = "return"


@dataclass(slots=True)
class TextPart:
    content: str
    kind: Literal["text"] = "text"


@dataclass(slots=True)
class CallPart:
    tool: str
    arguments: str
    call_id: str
    kind: Literal["call"] = "call"


@dataclass(slots=True)
class Request:
    parts: list[Annotated[UserPart | ReturnPart, Field(discriminator="kind")]]
    kind: Literal["request"] = "request"


@dataclass(slots=True)
class Reply:
    parts: list[Annotated[TextPart | CallPart, Field(discriminator="kind")]]
    timestamp: datetime = field(default_factory=now)
    kind: Literal["reply"] = "reply"


Message = Request | Reply
MESSAGE = TypeAdapter[Message](Annotated[Message, Field(discriminator="kind")])


@dataclass(slots=True)
class Usage:
    requests: int = 0
    asked: int = 0
    said: int = 0


@dataclass(slots=True)
class State:
    messages: list[Message] = field(default_factory=list[Message])
    usage: Usage = field(default_factory=Usage)


Model = Callable[[Sequence[Message]], Awaitable[tuple[Reply, int, int]]]


class Arguments(BaseModel):
    n: int


VALIDATE = TypeAdapter(Arguments).validate_json


@dataclass(slots=True)
class Context:
    model: Model
    text: str = ""
    state: State = field(default_factory=State)

    async def lookup(self, n: int) -> str:
        return self.text


@dataclass(slots=True)
class Ending:
    data: str


@dataclass(slots=True)
class Start:
    prompt: str

    async def run(self, context: Context) -> Ask:
        return Ask(Request([UserPart(self.prompt)]))


@dataclass(slots=True)
class Ask:
    request: Request

    async def run(self, context: Context) -> Handle:
        state = context.state
        state.messages.append(self.request)
        reply, asked, said = await context.model(state.messages)
        state.usage.requests += 1
        state.usage.asked += asked
        state.usage.said += said
        state.messages.append(reply)
        return Handle(reply)


@dataclass(slots=True)
class Handle:
    reply: Reply

    async def run(self, context: Context) -> Ask | Ending:
        calls = [part for part in self.reply.parts if isinstance(part, CallPart)]
        if not calls:
            return Ending("".join(part.content for part in self.reply.parts if isinstance(part, TextPart)))
        if len(calls) == 1:
            return Ask(Request([await self.returned(context, calls[0])]))
        return Ask(Request(list(await asyncio.gather(*(self.returned(context, each) for each in calls)))))

    async def returned(self, context: Context, part: CallPart) -> ReturnPart:
        content = await context.lookup(VALIDATE(part.arguments).n)
        return ReturnPart(part.tool, content, part.call_id)


Node = Start | Ask | Handle | Ending
Save = Callable[[Node, State], None]


async def drive(node: Node, context: Context, save: Save | None = None) -> str:
    """Run node after node, saving what each has done."""
    while not isinstance(node, Ending):
        node = await node.run(context)
        if save is not None:
            save(node, context.state)
    return node.data


def model(turns: int, wait: float = 0, asked: Callable[[int], None] | None = None) -> Model:
    """Calls the tool so often, then answers."""

    async def reply(messages: Sequence[Message]) -> tuple[Reply, int, int]:
        if wait:
            await asyncio.sleep(wait)
        done = (len(messages) - 1) // 2
        if asked is not None:
            asked(done)
        part = CallPart(*call(done)) if done < turns else TextPart(ANSWER)
        return Reply([part]), 50, 10

    return reply
