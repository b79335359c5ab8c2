"""What the engine does for an answer of an agent in memory: four writes, with little around them."""

from __future__ import annotations

from collections import Counter

import pytest

from agentgraph import Agent
from tests.work.counted import BUILTIN, calls_of
from tests.work.counting import counted_calls
from tests.work.test_loop import agent_of

pytestmark = pytest.mark.anyio


async def of_an_answer(agent: Agent[None, str]) -> Counter[str]:
    for _ in range(2):  # what is made once, by the first run and by what it leaves
        await agent.run("go")
    return await calls_of(lambda: agent.run("go"))


async def test_an_answer_takes_few_calls() -> None:
    agent = agent_of(0)
    await of_an_answer(agent)
    with counted_calls() as calls:
        await agent.run("go")
    assert calls.within("graph/", "stores/", "clock.py", "concurrency.py") <= 305


async def test_an_answer_becomes_json_piece_by_piece_once() -> None:
    counted = await of_an_answer(agent_of(0))
    # The request, the reply and the result; the request once more, to see that what the history has is what the node
    # had; the usage and the retries of the tools at each of four writes, the former once more where it is another one;
    # the prompt and three numbers, and the one that changes. Then, by hand: the counters twice, and four heads.
    assert counted[BUILTIN + "SchemaSerializer.to_json"] <= 19
    assert counted[BUILTIN + "to_json"] <= 6


async def test_an_answer_is_given_in_one_scope_and_no_shield() -> None:
    counted = await of_an_answer(agent_of(0))
    assert (counted["Covering.__enter__"], counted["shielded"]) == (1, 0)
