"""burr: an agent as actions (ask, use the tool, done) over a state that holds the messages; kept in SQLite."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import aiosqlite
from burr.core import Application, ApplicationBuilder, State, action, default, when
from burr.integrations.persisters.b_aiosqlite import AsyncSQLitePersister
from cell import Cell, Crowd, Durable, Job, Resumed, Work
from work import ANSWER, PROMPT, WAIT, call, tool_text

Model = Callable[[list[dict[str, Any]]], Awaitable[dict[str, Any]]]


def model(turns: int, wait: float = 0, asked: Callable[[int], None] | None = None) -> Model:
    async def reply(messages: list[dict[str, Any]]) -> dict[str, Any]:
        if wait:
            await asyncio.sleep(wait)
        done = (len(messages) - 1) // 2
        if asked is not None:
            asked(done)
        if done < turns:
            name, arguments, call_id = call(done)
            return {"role": "assistant", "call": {"name": name, "arguments": arguments, "id": call_id}}
        return {"role": "assistant", "content": ANSWER}

    return reply


def builder_of(replies: Model, text: str) -> ApplicationBuilder:
    """Asks, and uses the tool as long as the reply calls it."""

    async def lookup(n: int) -> str:
        return text

    @action(reads=["messages"], writes=["messages", "calls"])
    async def ask(state: State) -> State:
        message = await replies(state["messages"])
        return state.append(messages=message).update(calls="call" in message)

    @action(reads=["messages"], writes=["messages"])
    async def use(state: State) -> State:
        called = state["messages"][-1]["call"]
        content = await lookup(**json.loads(called["arguments"]))
        return state.append(messages={"role": "tool", "content": content, "id": called["id"]})

    @action(reads=["messages"], writes=["answer"])
    async def done(state: State) -> State:
        return state.update(answer=state["messages"][-1]["content"])

    return (
        ApplicationBuilder()
        .with_actions(ask=ask, use=use, done=done)
        .with_transitions(("ask", "use", when(calls=True)), ("ask", "done", default), ("use", "ask"))
    )


async def ended(application: Application) -> State:
    _, _, state = await application.arun(halt_after=["done"])
    return state


def begun(builder: ApplicationBuilder) -> ApplicationBuilder:
    return builder.with_state(messages=[{"role": "user", "content": PROMPT}]).with_entrypoint("ask")


def answer(size: int) -> Work:
    replies = model(0)

    async def work() -> int:
        return len((await ended(await begun(builder_of(replies, "")).abuild()))["answer"])

    return work


def loop(size: int) -> Work:
    replies, text = model(size), tool_text(100)

    async def work() -> int:
        return len((await ended(await begun(builder_of(replies, text)).abuild()))["messages"])

    return work


def crowd(size: int) -> Work:
    replies = model(3, WAIT)

    async def one() -> int:
        return len((await ended(await begun(builder_of(replies, "ok")).abuild()))["answer"])

    async def work() -> int:
        return sum(await asyncio.gather(*(one() for _ in range(size))))

    return work


@asynccontextmanager
async def durable(job: Job) -> AsyncGenerator[Work]:
    replies, text, names = model(job.size, asked=job.asked), tool_text(job.text), count()
    async with aiosqlite.connect(job.folder / "runs.db") as connection:
        await connection.execute("PRAGMA journal_mode = WAL")
        await connection.execute(f"PRAGMA synchronous = {job.synchronous}")
        persister = AsyncSQLitePersister(connection)
        await persister.initialize()

        async def work() -> int:
            builder = builder_of(replies, text).with_identifiers(app_id=f"run-{next(names)}")
            state = {"messages": [{"role": "user", "content": PROMPT}]}
            application = builder.initialize_from(
                persister, resume_at_next_action=True, default_state=state, default_entrypoint="ask"
            ).with_state_persister(persister)
            return len((await ended(await application.abuild()))["messages"])

        yield work


CELLS: dict[str, Cell] = {
    "answer": answer,
    "loop": loop,
    "crowd": Crowd(crowd),
    "durable": Durable(durable),
    "resume": Resumed(durable),
}
