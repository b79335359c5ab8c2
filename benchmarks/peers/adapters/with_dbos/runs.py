"""dbos: the tool loop as a workflow, each call of the model and of the tool a step; kept in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import sqlalchemy
from cell import Cell, Durable, Job, Resumed, Work
from dbos import DBOS, SetWorkflowID
from work import ANSWER, PROMPT, call, tool_text

BENCH: list[Job] = []
"""What the steps do it for."""


@DBOS.step()
async def ask(messages: int) -> dict[str, Any]:
    """The model: it sees so many messages."""
    job, done = BENCH[0], (messages - 1) // 2
    job.asked(done)
    if done < job.size:
        name, arguments, call_id = call(done)
        return {"role": "assistant", "call": {"name": name, "arguments": arguments, "id": call_id}}
    return {"role": "assistant", "content": ANSWER}


@DBOS.step()
async def lookup(n: int) -> str:
    return tool_text(BENCH[0].text)


@DBOS.workflow()
async def agent(prompt: str) -> int:
    messages: list[dict[str, Any]] = [{"role": "user", "content": prompt}]
    while True:
        reply = await ask(len(messages))
        messages.append(reply)
        if "call" not in reply:
            return len(messages)
        called = reply["call"]
        content = await lookup(**json.loads(called["arguments"]))
        messages.append({"role": "tool", "content": content, "id": called["id"]})


@asynccontextmanager
async def durable(job: Job) -> AsyncGenerator[Work]:
    path, names = job.folder / "runs.db", count()
    BENCH[:] = [job]
    if not job.resume:
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA journal_mode = WAL")

    def connected(connection: Any, record: object) -> None:
        connection.execute(f"PRAGMA synchronous = {job.synchronous}")

    sqlalchemy.event.listen(sqlalchemy.Engine, "connect", connected)
    DBOS(
        config={
            "name": "bench",
            "system_database_url": f"sqlite:///{path}",
            "application_version": "bench",
            "log_level": "ERROR",
        }
    )
    DBOS.launch()  # which goes on with what was left

    async def work() -> int:
        name = f"run-{next(names)}"
        if job.resume:
            return await (await DBOS.retrieve_workflow_async(name)).get_result()
        with SetWorkflowID(name):
            return await agent(PROMPT)

    yield work
    DBOS.destroy()
    sqlalchemy.event.remove(sqlalchemy.Engine, "connect", connected)


ALWAYS = "always durable"

CELLS: dict[str, Cell] = {
    "answer": ALWAYS,
    "loop": ALWAYS,
    "crowd": ALWAYS,
    "durable": Durable(durable),
    "resume": Resumed(durable),
}
