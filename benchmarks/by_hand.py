"""The floor of many durable tool loops: the same work by hand, with nothing that this one agent does not need.

Typed nodes, messages that pydantic writes and reads, arguments that it validates, and a transaction a node: what was
said, what it cost, which node comes next. What a library costs is what it takes on top of this.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, TypeAdapter

from .workload import tool_text

__all__ = ["HandRun", "HandStore", "Save", "Write"]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class UserPart:
    """What the user says."""

    content: str
    timestamp: datetime = field(default_factory=_now)
    kind: Literal["user"] = "user"


@dataclass(slots=True)
class ReturnPart:
    """What a tool returned."""

    tool: str
    content: str
    call_id: str
    timestamp: datetime = field(default_factory=_now)
    kind: Literal["return"] = "return"


@dataclass(slots=True)
class TextPart:
    """What the model says."""

    content: str
    kind: Literal["text"] = "text"


@dataclass(slots=True)
class CallPart:
    """A tool that the model calls."""

    tool: str
    arguments: str
    call_id: str
    kind: Literal["call"] = "call"


@dataclass(slots=True)
class Request:
    """What the model is told."""

    parts: list[Annotated[UserPart | ReturnPart, Field(discriminator="kind")]]
    kind: Literal["request"] = "request"


@dataclass(slots=True)
class Reply:
    """What it replies."""

    parts: list[Annotated[TextPart | CallPart, Field(discriminator="kind")]]
    model: str = "by hand"
    timestamp: datetime = field(default_factory=_now)
    kind: Literal["reply"] = "reply"


Message = Annotated[Request | Reply, Field(discriminator="kind")]
_message = TypeAdapter[Message](Message)


class _Arguments(BaseModel):
    n: int


@dataclass(slots=True)
class Write:
    """A transaction: what one node adds."""

    run: str
    messages: Sequence[tuple[str, int, bytes]]
    """The run, the position, the message."""
    node: str
    """Which comes next."""
    usage: tuple[int, int, int]


Save = Callable[[Write], Awaitable[None]]
"""Has a transaction written."""


class HandStore:
    """Messages and runs in two tables."""

    def __init__(self, path: Path, synchronous: Literal["FULL", "NORMAL"]) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute(f"PRAGMA synchronous = {synchronous}")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS messages (run TEXT, seq INTEGER, body BLOB, PRIMARY KEY (run, seq)) "
            "WITHOUT ROWID"
        )
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS runs (run TEXT PRIMARY KEY, node TEXT, requests INTEGER, i INTEGER, o INTEGER) "
            "WITHOUT ROWID"
        )

    def write(self, *writes: Write) -> None:
        """Write what some nodes add, in one transaction."""
        execute = self._db.execute
        execute("BEGIN IMMEDIATE")
        for each in writes:
            for row in each.messages:
                execute("INSERT INTO messages VALUES (?, ?, ?)", row)
            execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?)", (each.run, each.node, *each.usage))
        execute("COMMIT")

    async def save(self, write: Write) -> None:
        """The same of one node, where it is."""
        self.write(write)

    def read(self, run: str) -> HandRun:
        """Take a run up where it was left."""
        (*usage,) = self._db.execute("SELECT requests, i, o FROM runs WHERE run = ?", (run,)).fetchone()
        rows = self._db.execute("SELECT body FROM messages WHERE run = ? ORDER BY seq", (run,))
        messages = [_message.validate_json(body) for (body,) in rows]
        return HandRun(run, messages, (usage[0], usage[1], usage[2]), stored=len(messages))

    def close(self) -> None:
        """Close the file."""
        self._db.close()


@dataclass(slots=True)
class HandRun:
    """A run of an agent whose model calls a tool so often, then answers."""

    run: str
    messages: list[Message] = field(default_factory=list[Message])
    usage: tuple[int, int, int] = (0, 0, 0)
    stored: int = 0
    text: str = ""
    turns: int = 0

    async def go(self, turns: int, size: int, save: Save) -> str:
        """Walk over the nodes, from wherever the run stands, saving after each."""
        self.text, self.turns = tool_text(size), turns
        if not self.messages:
            self.messages.append(Request([UserPart("go")]))
            await self._save("Request", save)
        while True:
            match self.messages[-1]:
                case Request():
                    self.messages.append(await self._ask())
                    await self._save("Reply", save)
                case Reply(parts=[CallPart() as call]):
                    returned = ReturnPart(call.tool, await self._call(call), call.call_id)
                    self.messages.append(Request([returned]))
                    await self._save("Request", save)
                case Reply(parts=parts):
                    await self._save("End", save)
                    return "".join(part.content for part in parts if isinstance(part, TextPart))

    async def _ask(self) -> Reply:
        requests, asked, said = self.usage
        self.usage = (requests + 1, asked + 50, said + 10)
        done = (len(self.messages) - 1) // 2
        if done < self.turns:
            return Reply([CallPart("lookup", f'{{"n": {done}}}', f"call-{done}")])
        return Reply([TextPart("done")])

    async def _call(self, call: CallPart) -> str:
        arguments = _Arguments.model_validate_json(call.arguments)
        return await self._lookup(arguments.n)

    async def _lookup(self, n: int) -> str:
        del n
        return self.text

    async def _save(self, node: str, save: Save) -> None:
        fresh = self.messages[self.stored :]
        rows = [(self.run, self.stored + at, _message.dump_json(each)) for at, each in enumerate(fresh)]
        self.stored = len(self.messages)
        await save(Write(self.run, rows, node, self.usage))
