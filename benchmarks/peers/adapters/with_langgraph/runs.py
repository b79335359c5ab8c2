"""langgraph: `create_agent` over a chat model of one's own; every step kept by `AsyncSqliteSaver`, synchronously."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import aiosqlite
from cell import Cell, Crowd, Durable, Job, Resumed, Work
from langchain.agents import AgentState, create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool, tool
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph.state import CompiledStateGraph
from work import ANSWER, PROMPT, WAIT, call, tool_text


class Stub(BaseChatModel):
    turns: int
    wait: float = 0
    asked: Callable[[int], None] | None = None

    @property
    def _llm_type(self) -> str:
        return "stub"

    def bind_tools(self, tools: Sequence[Any], **options: Any) -> Runnable:
        return self

    def _generate(self, *arguments: Any, **options: Any) -> ChatResult:
        raise NotImplementedError

    async def _agenerate(self, messages: list[BaseMessage], *arguments: Any, **options: Any) -> ChatResult:
        if self.wait:
            await asyncio.sleep(self.wait)
        done = (len(messages) - 1) // 2
        if self.asked is not None:
            self.asked(done)
        usage = {"input_tokens": 50, "output_tokens": 10, "total_tokens": 60}
        if done < self.turns:
            name, arguments_text, call_id = call(done)
            called = {"name": name, "args": json.loads(arguments_text), "id": call_id}
            message = AIMessage("", tool_calls=[called], usage_metadata=usage)
        else:
            message = AIMessage(ANSWER, usage_metadata=usage)
        return ChatResult(generations=[ChatGeneration(message=message)])


def tool_of(size: int) -> BaseTool:
    text = tool_text(size)

    @tool
    async def lookup(n: int) -> str:
        """Look something up."""
        return text

    return lookup


def asking() -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": PROMPT}]}


def settings(turns: int, thread: str = "run") -> dict[str, Any]:
    return {"recursion_limit": 2 * turns + 10, "configurable": {"thread_id": thread}}


def answer(size: int) -> Work:
    agent = create_agent(Stub(turns=0), [])

    async def work() -> int:
        return len((await agent.ainvoke(asking()))["messages"][-1].content)

    return work


def loop(size: int) -> Work:
    agent = create_agent(Stub(turns=size), [tool_of(100)])

    async def work() -> int:
        return len((await agent.ainvoke(asking(), settings(size)))["messages"])

    return work


def crowd(size: int) -> Work:
    agent = create_agent(Stub(turns=3, wait=WAIT), [tool_of(2)])

    async def work() -> int:
        results = await asyncio.gather(*(agent.ainvoke(asking()) for _ in range(size)))
        return sum(len(each["messages"][-1].content) for each in results)

    return work


@asynccontextmanager
async def durable(job: Job, schema: type[AgentState] = AgentState) -> AsyncGenerator[Work]:
    names = count()
    async with aiosqlite.connect(job.folder / "runs.db") as connection:
        saver = AsyncSqliteSaver(connection)
        await saver.setup()
        await connection.execute(f"PRAGMA synchronous = {job.synchronous}")
        model = Stub(turns=job.size, asked=job.asked)
        agent: CompiledStateGraph = create_agent(model, [tool_of(job.text)], checkpointer=saver, state_schema=schema)

        async def work() -> int:
            given = None if job.resume else asking()
            run = settings(job.size, f"run-{next(names)}")
            return len((await agent.ainvoke(given, run, durability="sync"))["messages"])

        yield work


CELLS: dict[str, Cell] = {
    "answer": answer,
    "loop": loop,
    "crowd": Crowd(crowd),
    "durable": Durable(durable),
    "resume": Resumed(durable),
}
