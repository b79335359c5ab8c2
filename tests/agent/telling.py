"""A process that streams a run, a word for each line that it reads: `python -m tests.agent.telling URL`."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

import anyio

from agentgraph import Agent
from agentgraph.messages import ModelMessage
from agentgraph.models.function import AgentInfo, FunctionModel
from agentgraph.stores import open_store


async def words(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
    for number in range(3):
        yield f"word {number} "
        await anyio.to_thread.run_sync(sys.stdin.readline)


async def main(url: str) -> None:
    where, _, schema = url.partition("#")
    store = open_store(where, schema=schema or "agentgraph")
    agent: Agent[None, str] = Agent(FunctionModel(stream_function=words), store=store)
    async with agent.iter("Go", run_id="r") as run:
        sys.stdout.write("begun\n")
        sys.stdout.flush()
        node = await run.next()
        assert agent.is_model_request_node(node)
        async with node.stream(run.ctx):
            pass  # leaving reads it
        await run.next()
        await run.next()
    await store.aclose()


if __name__ == "__main__":
    anyio.run(main, sys.argv[1])
