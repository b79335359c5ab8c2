"""agentgraph: an `Agent` with one tool and a `Model`; kept in memory, or in a file by `store=`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from itertools import count

from cell import Cell, Crowd, Durable, Job, Resumed, Work
from work import ANSWER, PROMPT, WAIT, call, tool_text

from agentgraph import Agent
from agentgraph.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from agentgraph.model import Model, ModelRequestParameters
from agentgraph.settings import ModelSettings
from agentgraph.stores import SQLiteStore
from agentgraph.usage import Usage, UsageLimits

UNLIMITED = UsageLimits(request_limit=None)


class Stub(Model):
    def __init__(self, turns: int, wait: float = 0, asked: Callable[[int], None] | None = None) -> None:
        self.turns, self.wait, self.asked = turns, wait, asked

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> tuple[ModelResponse, Usage]:
        if self.wait:
            await asyncio.sleep(self.wait)
        done = (len(messages) - 1) // 2
        if self.asked is not None:
            self.asked(done)
        part = ToolCallPart(*call(done)) if done < self.turns else TextPart(ANSWER)
        return ModelResponse([part]), Usage(0, 50, 10, 60)

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
        return len((await agent.run(PROMPT)).data)

    return work


def loop(size: int) -> Work:
    agent = agent_of(Stub(size), 100)

    async def work() -> int:
        return len((await agent.run(PROMPT, usage_limits=UNLIMITED)).all_messages())

    return work


def crowd(size: int) -> Work:
    agent = agent_of(Stub(3, WAIT), 2)

    async def work() -> int:
        return sum(len(each.data) for each in await asyncio.gather(*(agent.run(PROMPT) for _ in range(size))))

    return work


@asynccontextmanager
async def durable(job: Job) -> AsyncGenerator[Work]:
    agent, names = agent_of(Stub(job.size, asked=job.asked), job.text), count()
    synchronous = "FULL" if job.synchronous == "FULL" else "NORMAL"
    store = SQLiteStore(job.folder / "runs.db", synchronous=synchronous)

    async def work() -> int:
        name = f"run-{next(names)}"
        prompt = None if job.resume else PROMPT
        resume = name if job.resume else None
        run_id = None if job.resume else name
        result = await agent.run(prompt, run_id=run_id, resume=resume, store=store, usage_limits=UNLIMITED)
        return len(result.all_messages())

    yield work
    await store.aclose()


CELLS: dict[str, Cell] = {
    "answer": answer,
    "loop": loop,
    "crowd": Crowd(crowd),
    "durable": Durable(durable),
    "resume": Resumed(durable),
}
