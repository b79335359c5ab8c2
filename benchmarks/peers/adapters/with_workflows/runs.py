"""llama-index-workflows: an agent as steps and events. It keeps no runs; a context can be written out by hand."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from cell import Cell, Crowd, Work
from work import ANSWER, PROMPT, WAIT, call, tool_text
from workflows import Context, Workflow, step
from workflows.events import Event, StartEvent, StopEvent


class Asked(Event):
    pass


class Called(Event):
    name: str
    arguments: str
    call_id: str


class Agent(Workflow):
    def __init__(self, turns: int, text: str = "", wait: float = 0) -> None:
        super().__init__(timeout=None)
        self.turns, self.text, self.wait = turns, text, wait

    async def reply(self, messages: list[dict[str, Any]]) -> dict[str, Any]:
        if self.wait:
            await asyncio.sleep(self.wait)
        done = (len(messages) - 1) // 2
        if done < self.turns:
            name, arguments, call_id = call(done)
            return {"role": "assistant", "call": {"name": name, "arguments": arguments, "call_id": call_id}}
        return {"role": "assistant", "content": ANSWER}

    async def lookup(self, n: int) -> str:
        return self.text

    @step
    async def begin(self, ctx: Context, event: StartEvent) -> Asked:
        await ctx.store.set("messages", [{"role": "user", "content": event.prompt}])
        return Asked()

    @step
    async def ask(self, ctx: Context, event: Asked) -> Called | StopEvent:
        messages = await ctx.store.get("messages")
        message = await self.reply(messages)
        messages.append(message)
        if "call" in message:
            return Called(**message["call"])
        return StopEvent(result=(message["content"], len(messages)))

    @step
    async def use(self, ctx: Context, event: Called) -> Asked:
        messages = await ctx.store.get("messages")
        content = await self.lookup(**json.loads(event.arguments))
        messages.append({"role": "tool", "content": content, "id": event.call_id})
        return Asked()


def answer(size: int) -> Work:
    agent = Agent(0)

    async def work() -> int:
        text, _ = await agent.run(prompt=PROMPT)
        return len(text)

    return work


def loop(size: int) -> Work:
    agent = Agent(size, tool_text(100))

    async def work() -> int:
        _, messages = await agent.run(prompt=PROMPT)
        return messages

    return work


def crowd(size: int) -> Work:
    agent = Agent(3, "ok", WAIT)

    async def one() -> int:
        text, _ = await agent.run(prompt=PROMPT)
        return len(text)

    async def work() -> int:
        return sum(await asyncio.gather(*(one() for _ in range(size))))

    return work


NO_STORE = "no store"

CELLS: dict[str, Cell] = {
    "answer": answer,
    "loop": loop,
    "crowd": Crowd(crowd),
    "durable": NO_STORE,
    "resume": NO_STORE,
}
