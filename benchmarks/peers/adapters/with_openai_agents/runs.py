"""openai-agents: an `Agent` with one function tool and a `Model` of one's own; kept in a file by `SQLiteSession`.

A session keeps the conversation, at each turn what it added, with SQLite's own settings: it takes no others. Going on
means another run over the same session, without a new message.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from agents import Agent, Model, ModelResponse, RunConfig, Runner, SQLiteSession, Usage, function_tool
from cell import Cell, Crowd, Durable, Job, Resumed, Work
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText
from work import ANSWER, PROMPT, WAIT, call, tool_text

CONFIG = RunConfig(tracing_disabled=True)


class Stub(Model):
    def __init__(self, turns: int, wait: float = 0, asked: Callable[[int], None] | None = None) -> None:
        self.turns, self.wait, self.asked = turns, wait, asked

    async def get_response(
        self,
        system_instructions: str | None,
        input: str | list[Any],
        *arguments: object,
        **options: object,
    ) -> ModelResponse:
        if self.wait:
            await asyncio.sleep(self.wait)
        done = 0 if isinstance(input, str) else (len(input) - 1) // 2
        if self.asked is not None:
            self.asked(done)
        usage = Usage(requests=1, input_tokens=50, output_tokens=10, total_tokens=60)
        if done < self.turns:
            name, arguments_text, call_id = call(done)
            part = ResponseFunctionToolCall(
                type="function_call", name=name, arguments=arguments_text, call_id=call_id, id=f"f-{done}"
            )
            return ModelResponse(output=[part], usage=usage, response_id=None)
        text = ResponseOutputText(type="output_text", text=ANSWER, annotations=[])
        message = ResponseOutputMessage(id="m", type="message", role="assistant", status="completed", content=[text])
        return ModelResponse(output=[message], usage=usage, response_id=None)

    def stream_response(self, *arguments: object, **options: object) -> AsyncIterator[Any]:
        raise NotImplementedError


def agent_of(model: Model, size: int) -> Agent[None]:
    text = tool_text(size)

    @function_tool
    async def lookup(n: int) -> str:
        """Look something up."""
        return text

    return Agent(name="bench", model=model, tools=[lookup])


def answer(size: int) -> Work:
    agent = Agent[None](name="bench", model=Stub(0))

    async def work() -> int:
        return len((await Runner.run(agent, PROMPT, run_config=CONFIG)).final_output)

    return work


def loop(size: int) -> Work:
    agent = agent_of(Stub(size), 100)

    async def work() -> int:
        return len((await Runner.run(agent, PROMPT, run_config=CONFIG, max_turns=size + 2)).to_input_list())

    return work


def crowd(size: int) -> Work:
    agent = agent_of(Stub(3, WAIT), 2)

    async def work() -> int:
        results = await asyncio.gather(*(Runner.run(agent, PROMPT, run_config=CONFIG) for _ in range(size)))
        return sum(len(each.final_output) for each in results)

    return work


@asynccontextmanager
async def durable(job: Job) -> AsyncGenerator[Work]:
    agent, names = agent_of(Stub(job.size, asked=job.asked), job.text), count()

    async def work() -> int:
        session = SQLiteSession(f"run-{next(names)}", job.folder / "runs.db")
        prompt = [] if job.resume else PROMPT
        await Runner.run(agent, prompt, run_config=CONFIG, max_turns=job.size + 2, session=session)
        kept = len(await session.get_items())
        session.close()
        return kept

    yield work


CELLS: dict[str, Cell] = {
    "answer": answer,
    "loop": loop,
    "crowd": Crowd(crowd),
    "durable": Durable(durable),
    "resume": Resumed(durable),
}
