"""pydantic-ai of today: an `Agent` with one tool and a `Model` of one's own.

It has no store of its own. The durable run is what one writes then: `Agent.iter`, and after each node a transaction
with the messages that are new and the name of the node.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from itertools import count

from cell import Cell, Crowd, Durable, Job, Resumed, Work
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage, UsageLimits
from work import ANSWER, PROMPT, WAIT, call, tool_text

UNLIMITED = UsageLimits(request_limit=None)


class Stub(Model):
    def __init__(self, turns: int, wait: float = 0, asked: Callable[[int], None] | None = None) -> None:
        super().__init__()
        self.turns, self.wait, self.asked = turns, wait, asked

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        if self.wait:
            await asyncio.sleep(self.wait)
        done = (len(messages) - 1) // 2
        if self.asked is not None:
            self.asked(done)
        part = ToolCallPart(*call(done)) if done < self.turns else TextPart(ANSWER)
        return ModelResponse([part], usage=RequestUsage(input_tokens=50, output_tokens=10))

    @property
    def model_name(self) -> str:
        return "stub"

    @property
    def system(self) -> str:
        return "none"


def agent_of(model: Model, size: int) -> Agent[None, str]:
    agent, text = Agent(model, name="bench"), tool_text(size)

    @agent.tool_plain
    async def lookup(n: int) -> str:
        """Look something up."""
        return text

    return agent


def answer(size: int) -> Work:
    agent = Agent(Stub(0), name="bench")

    async def work() -> int:
        return len((await agent.run(PROMPT)).output)

    return work


def loop(size: int) -> Work:
    agent = agent_of(Stub(size), 100)

    async def work() -> int:
        return len((await agent.run(PROMPT, usage_limits=UNLIMITED)).all_messages())

    return work


def crowd(size: int) -> Work:
    agent = agent_of(Stub(3, WAIT), 2)

    async def work() -> int:
        return sum(len(each.output) for each in await asyncio.gather(*(agent.run(PROMPT) for _ in range(size))))

    return work


class Store:
    def __init__(self, job: Job) -> None:
        self.db = sqlite3.connect(job.folder / "runs.db", isolation_level=None)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute(f"PRAGMA synchronous = {job.synchronous}")
        self.db.execute("CREATE TABLE IF NOT EXISTS messages (run TEXT, seq INT, body BLOB, PRIMARY KEY (run, seq))")
        self.db.execute("CREATE TABLE IF NOT EXISTS runs (run TEXT PRIMARY KEY, node TEXT)")

    def save(self, run: str, stored: int, messages: list[ModelMessage], node: str) -> int:
        """Save what is new, and say how much is saved."""
        self.db.execute("BEGIN IMMEDIATE")
        for seq, message in enumerate(messages[stored:], stored):
            body = ModelMessagesTypeAdapter.dump_json([message])
            self.db.execute("INSERT OR REPLACE INTO messages VALUES (?, ?, ?)", (run, seq, body))
        self.db.execute("INSERT OR REPLACE INTO runs VALUES (?, ?)", (run, node))
        self.db.execute("COMMIT")
        return len(messages)

    def load(self, run: str) -> list[ModelMessage]:
        rows = self.db.execute("SELECT body FROM messages WHERE run = ? ORDER BY seq", (run,))
        return [message for (body,) in rows for message in ModelMessagesTypeAdapter.validate_json(body)]


@asynccontextmanager
async def durable(job: Job) -> AsyncGenerator[Work]:
    agent, store, names = agent_of(Stub(job.size, asked=job.asked), job.text), Store(job), count()

    async def work() -> int:
        name = f"run-{next(names)}"
        history = store.load(name) if job.resume else []
        stored = len(history)
        prompt = None if history else PROMPT
        async with agent.iter(prompt, message_history=history, usage_limits=UNLIMITED) as run:
            async for node in run:
                messages = run.all_messages()
                # The request that is next is in its node until it is made.
                fresh = [*messages, node.request] if Agent.is_model_request_node(node) else messages
                stored = store.save(name, stored, fresh, type(node).__name__)
        return len(run.all_messages())

    yield work
    store.db.close()


CELLS: dict[str, Cell] = {
    "answer": answer,
    "loop": loop,
    "crowd": Crowd(crowd),
    "durable": Durable(durable),
    "resume": Resumed(durable),
}
