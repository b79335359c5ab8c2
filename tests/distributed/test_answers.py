"""Answers that come at any moment, from processes that know nothing of workers."""

from __future__ import annotations

import anyio
import pytest

from agentgraph.distributed import DBOSDispatcher
from agentgraph.graph import RunFilter, Status, Store, open_questions
from agentgraph.stores import PostgresStore

from .jobs import Counted, Parent, parent

pytestmark = pytest.mark.anyio

RUNS = 30


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


async def answer_at_once(store: Store) -> None:
    """Answer each question of a run below as soon as it can be seen, before its parent is asleep."""
    answered: set[str] = set()
    while len(answered) < RUNS:
        waiting = [run.run_id for run in await store.list(RunFilter(status=Status.WAITING))]
        for run_id in {*waiting} - answered:
            own = [each for each in open_questions(await store.calls(run_id)) if each.run_id == run_id]
            answered |= {question.run_id for question in own}
            for question in own:
                await store.answer(run_id, question.key, len(answered))


async def test_no_answer_is_lost_while_the_runs_above_go_to_sleep(url: str) -> None:
    elsewhere = PostgresStore(url)
    async with DBOSDispatcher(url) as dispatcher:
        ids = [await dispatcher.submit(parent, Parent(), state=Counted()) for _ in range(RUNS)]
        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                group.start_soon(lambda: dispatcher.serve([parent]))
                group.start_soon(answer_at_once, elsewhere)
                outputs = {(await dispatcher.result(parent, run_id)).output for run_id in ids}
                assert outputs == {*range(1, RUNS + 1)}
                dispatcher.stop()
    await elsewhere.aclose()
