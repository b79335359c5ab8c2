"""The run of `agentgraph demo`, drawn from the store that it leaves behind.

The support desk works on its ticket as in the demonstration, with the same tools, database and model of rules, but in
one process: where the demonstration kills a worker, the store's connection to the first one dies. What would differ
from one time to the next, the times and the names of the processes, is replaced before it is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import httpx

from agentgraph.agent import agent_run_picture
from agentgraph.cli.demo.agent import support_desk
from agentgraph.cli.demo.command import TICKET
from agentgraph.cli.demo.conversation import ChatRequest, Conversation
from agentgraph.cli.demo.database import Escalation, Shop
from agentgraph.cli.demo.play import PERSON
from agentgraph.cli.demo.rules import answer
from agentgraph.cli.demo.server import MODEL
from agentgraph.cli.demo.wire import Completion
from agentgraph.graph import Picture, StepRecord, Store, StoredRun
from agentgraph.model import Model
from agentgraph.models.openai import OpenAIModel
from agentgraph.providers.openai import OpenAIProvider
from agentgraph.stores import MemoryStore
from agentgraph.testing.mortal import Death, mortal
from agentgraph.testing.report import CommitPoint

__all__ = ["demo_run"]

RUN_ID = "ticket-7"
BEGUN = 1_767_225_600.0
"""When the drawn run began; Unix time, seconds."""
SECONDS = {"UserPromptNode": 0.0, "ModelRequestNode": 0.8, "HandleResponseNode": 0.05}
"""How long the drawn steps take."""
DEATH = CommitPoint(9, "after")
"""The first process writes the run, six steps, and what two calls of the batch have returned."""
TAKING_OVER = 2.0
"""From the death of the first process to the second one's claim, in seconds."""


class _StaffedShop(Shop):
    """A shop with a person who takes every escalation up at once."""

    def escalate(self, key: str, ticket_id: int, reason: str) -> Escalation:
        super().escalate(key, ticket_id, reason)
        self.take_up(key, PERSON)
        return self.escalation(key)


def demo_run() -> Picture:
    """The path of the run."""
    return anyio.run(_drawn)


async def _drawn() -> Picture:
    store, drawn = MemoryStore(), MemoryStore()
    with TemporaryDirectory() as folder:
        await _work(store, Path(folder) / "shop.db")
    run = replace(await store.load(RUN_ID), created_at=BEGUN)
    steps = [*_settled(await store.steps(RUN_ID))]
    await drawn.insert([StoredRun(run=run, steps=steps)])
    return await agent_run_picture(drawn, RUN_ID)


async def _work(store: Store, path: Path) -> None:
    """Run until the process would be killed, with two calls of a batch journaled; then go on to the end."""
    Shop(path).create()
    async with httpx.AsyncClient(transport=httpx.MockTransport(_completion)) as client:
        provider = OpenAIProvider(base_url="http://127.0.0.1/v1", api_key="none-is-needed", http_client=client)
        model: Model = OpenAIModel(MODEL, provider=provider)
        with suppress(Death):
            dying = mortal(store, DEATH, lambda _: None)
            await support_desk.run(TICKET, run_id=RUN_ID, deps=Shop(path), model=model, store=dying)
        await store.aclose()  # as the end of a process does, this leaves the run to others
        await support_desk.run(resume=RUN_ID, deps=_StaffedShop(path), model=model, store=store)


def _completion(request: httpx.Request) -> httpx.Response:
    asked = request.content
    reply = answer(Conversation.of(ChatRequest.model_validate_json(asked)))
    completion = Completion(reply, MODEL, asked.decode(), id=f"reply-{len(asked)}", created=int(BEGUN))
    return httpx.Response(200, json=completion.whole())


def _settled(rows: Sequence[StepRecord]) -> Iterator[StepRecord]:
    """The rows with times and names that are the same whenever they are drawn."""
    now, process = BEGUN, 1
    for row in rows:
        if row.attempt > 1:
            now, process = now + TAKING_OVER, process + 1
        ended = now + SECONDS.get(row.node, 0.0)
        yield replace(row, started_at=now, ended_at=ended, owner=f"process {process}")
        now = ended
