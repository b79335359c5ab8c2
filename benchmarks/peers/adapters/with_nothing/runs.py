"""The floor: an agent by hand, in memory, or with one SQLite transaction for each node."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import count

from cell import Cell, Crowd, Durable, Job, Resumed, Work
from with_nothing.agent import (
    MESSAGE,
    Ask,
    Context,
    Handle,
    Reply,
    Request,
    Save,
    Start,
    State,
    Usage,
    drive,
    model,
)
from work import PROMPT, WAIT, tool_text

TABLES = (
    "CREATE TABLE IF NOT EXISTS messages (run TEXT, seq INTEGER, body BLOB, PRIMARY KEY (run, seq)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS runs (run TEXT PRIMARY KEY, node TEXT, requests INT, i INT, o INT) WITHOUT ROWID",
)


def answer(size: int) -> Work:
    replies = model(0)

    async def work() -> int:
        return len(await drive(Start(PROMPT), Context(replies)))

    return work


def loop(size: int) -> Work:
    replies, text = model(size), tool_text(100)

    async def work() -> int:
        context = Context(replies, text)
        await drive(Start(PROMPT), context)
        return len(context.state.messages)

    return work


def crowd(size: int) -> Work:
    replies = model(3, WAIT)

    async def work() -> int:
        runs = (drive(Start(PROMPT), Context(replies, "ok")) for _ in range(size))
        return sum(map(len, await asyncio.gather(*runs)))

    return work


class Store:
    def __init__(self, job: Job) -> None:
        self.db = sqlite3.connect(job.folder / "runs.db", isolation_level=None)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute(f"PRAGMA synchronous = {job.synchronous}")
        for table in TABLES:
            self.db.execute(table)

    def saver(self, run: str, stored: int) -> Save:
        """Saves what a node has added, how much was used, and which node is next."""
        execute = self.db.execute

        def save(node: object, state: State) -> None:
            nonlocal stored
            execute("BEGIN IMMEDIATE")
            fresh = state.messages[stored:]
            for message in [*fresh, node.request] if isinstance(node, Ask) else fresh:
                execute("INSERT INTO messages VALUES (?, ?, ?)", (run, stored, MESSAGE.dump_json(message)))
                stored += 1
            usage = (state.usage.requests, state.usage.asked, state.usage.said)
            execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?)", (run, type(node).__name__, *usage))
            execute("COMMIT")

        return save

    def load(self, run: str) -> tuple[Ask | Handle, State, int]:
        """The node that is next, the state, and how many messages are stored."""
        row = self.db.execute("SELECT requests, i, o FROM runs WHERE run = ?", (run,)).fetchone()
        rows = self.db.execute("SELECT body FROM messages WHERE run = ? ORDER BY seq", (run,))
        messages = [MESSAGE.validate_json(body) for (body,) in rows]
        state, stored = State(messages, Usage(*row)), len(messages)
        match messages[-1]:
            case Request():
                last = messages.pop()
                assert isinstance(last, Request)
                return Ask(last), state, stored
            case Reply() as reply:
                return Handle(reply), state, stored


@asynccontextmanager
async def durable(job: Job) -> AsyncGenerator[Work]:
    store, replies, text, names = Store(job), model(job.size, asked=job.asked), tool_text(job.text), count()

    async def work() -> int:
        run = f"run-{next(names)}"
        if job.resume:
            node, state, stored = store.load(run)
            context = Context(replies, text, state)
            await drive(node, context, store.saver(run, stored))
        else:
            context = Context(replies, text)
            await drive(Start(PROMPT), context, store.saver(run, 0))
        return len(context.state.messages)

    yield work
    store.db.close()


CELLS: dict[str, Cell] = {
    "answer": answer,
    "loop": loop,
    "crowd": Crowd(crowd),
    "durable": Durable(durable),
    "resume": Resumed(durable),
}
