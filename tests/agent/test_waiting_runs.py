"""However a run that waits is answered, and wherever it is killed: it ends as if it had been answered at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, cycle
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from agentgraph import Agent, MemoryStore, ToolApproved, ToolDenied, ToolRequest
from agentgraph.agent.answers import requests_of
from agentgraph.graph import Store, open_questions
from agentgraph.messages import ToolCallPart
from tests.agent.doors import DOORS, Outcome, outcome, run
from tests.agent.interrupting import Interrupting, Killed
from tests.agent.scripts import Effects, Script, agent_for, limits, scripts

pytestmark = pytest.mark.anyio

TOOLS = ("double", "shout", "picky", "spend")
doors = st.sampled_from(sorted(DOORS.keys() - {"run_sync"}))
good_calls = st.builds(
    ToolCallPart,
    st.sampled_from(["double", "picky", "spend"]),
    st.integers(0, 14).map(lambda x: {"x": x}),
    st.sampled_from([None, "a", "b", "c"]),
) | st.just(ToolCallPart("shout", {"text": "hey"}))
asking_scripts = st.builds(
    Script,
    replies=st.lists(st.lists(good_calls, min_size=1, max_size=4).map(tuple), min_size=1, max_size=3).map(tuple),
    result_type=st.sampled_from(["text", "number"]),
    retries=st.just(3),
    streamed=st.booleans(),
)
"""Scripts whose every reply calls tools, and rightly."""

guards = st.sets(st.sampled_from(TOOLS), min_size=1).map(lambda tools: tuple(sorted(tools)))
many = settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
"""On each event loop."""
plays = given(
    script=asking_scripts | scripts,
    guarded=guards,
    seed=st.integers(0, 1000),
    chosen=st.lists(doors, min_size=4, max_size=4),
)


def answer_to(request: ToolRequest) -> object:
    """What a person says to a request: it follows from the call, so that it is the same whenever it is said."""
    args = request.call.args_as_dict()
    match args.get("x", 3) % 4:
        case 0:
            return ToolApproved(digest=request.digest)
        case 1:
            return ToolDenied("no")
        case 2:
            return ToolApproved(args={**args, "x": 4})
        case _:
            return {"said": "by hand"}


async def requests(store: Store) -> list[ToolRequest]:
    asked = requests_of("r", open_questions(await store.calls("r")))
    return [request for request in asked if isinstance(request, ToolRequest)]


async def hand_in(agent: Agent[None, object], store: Store, these: Sequence[ToolRequest]) -> None:
    for request in these:
        await agent.answer("r", request.key, answer_to(request), store=store)


@dataclass
class Play:
    """A script that is played to its end."""

    script: Script
    guarded: Sequence[str]
    effects: Effects

    def agent(self) -> Agent[None, object]:
        return agent_for(self.script, self.effects, self.guarded)

    async def go(self, door: str, store: Store, *, begun: bool) -> Outcome:
        agent = self.agent()
        if begun:
            return await outcome(DOORS[door], agent, None, store=store, resume="r")
        return await outcome(DOORS[door], agent, "go", usage_limits=limits(self.script), store=store, run_id="r")


async def answered_at_once(play: Play) -> Outcome:
    store, begun = MemoryStore(), False
    while True:
        ended = await play.go(run.__name__, store, begun=begun)
        if not ended.waits:
            return ended
        begun = True
        await hand_in(play.agent(), store, await requests(store))


async def begun_in(store: MemoryStore) -> bool:
    return bool(await store.list())


@many
@plays
async def test_answers_one_by_one_in_any_order_and_through_any_door(
    script: Script, guarded: Sequence[str], seed: int, chosen: list[str]
) -> None:
    expected = await answered_at_once(Play(script, guarded, Effects()))
    play, store, random = Play(script, guarded, Effects()), MemoryStore(), Random(seed)
    attempts = cycle(chosen)
    while (ended := await play.go(next(attempts), store, begun=await begun_in(store))).waits:
        asked = await requests(store)
        await hand_in(play.agent(), store, random.sample(asked, random.randint(1, len(asked))))
    assert ended == expected
    if expected.error is None:
        assert all(times == 1 for times in play.effects.done.values())


@many
@plays
async def test_runs_killed_and_answered_at_random_moments(
    script: Script, guarded: Sequence[str], seed: int, chosen: list[str]
) -> None:
    expected = await answered_at_once(Play(script, guarded, Effects()))
    play, store, random = Play(script, guarded, Effects()), MemoryStore(), Random(seed)
    known: dict[str, int] = {}
    ended: Outcome | None = None
    for attempt in count():
        at = random.randint(1, 8) if attempt < 3 else 1000
        dying = Interrupting(store, at, random.choice(["killed before", "killed after", "disk full"]))
        try:
            ended = await play.go(chosen[attempt % 4], dying, begun=await begun_in(store))
        except (Killed, BaseExceptionGroup):  # with it may come the error of a tool
            ended = None
        known |= {key: times for key, times in play.effects.done.items() if key not in known and dying.knows(key)}
        await store.aclose()  # as the end of its process does, this gives the run up
        if ended is not None and not dying.interrupted and not ended.waits:
            break
        asked = await requests(store)
        await hand_in(
            play.agent(),
            store,
            random.sample(asked, random.randint(0 if attempt < 3 else 1, len(asked))) if asked else [],
        )
    assert ended == expected
    assert {key: play.effects.done[key] for key in known} == known  # what was written was not done again
