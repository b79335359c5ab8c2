"""pydantic-ai 0.0.40: an `Agent` with one tool and a `Model` of one's own. It keeps runs in memory alone."""

from __future__ import annotations

import asyncio

from cell import Cell, Crowd, Work
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import Usage, UsageLimits
from work import ANSWER, PROMPT, WAIT, call, tool_text

UNLIMITED = UsageLimits(request_limit=None)


class Stub(Model):
    def __init__(self, turns: int, wait: float = 0) -> None:
        self.turns, self.wait = turns, wait

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> tuple[ModelResponse, Usage]:
        if self.wait:
            await asyncio.sleep(self.wait)
        done = (len(messages) - 1) // 2
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


NO_STORE = "no store"

CELLS: dict[str, Cell] = {
    "answer": answer,
    "loop": loop,
    "crowd": Crowd(crowd),
    "durable": NO_STORE,
    "resume": NO_STORE,
}
