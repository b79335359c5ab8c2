"""What a reply takes that is read while it comes: nothing of what has come is looked at again for the next piece."""

from __future__ import annotations

import pytest

from agentgraph import Agent
from agentgraph.graph.store import EventRecord
from agentgraph.messages import ModelResponse, PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta
from agentgraph.stores import MemoryStore
from agentgraph.usage import UsageLimits
from tests.agent.scripted import EventModel

pytestmark = pytest.mark.anyio

DELTAS = 640
WORDS = ["word "] * (DELTAS + 1)


def talking() -> EventModel:
    deltas = [PartDeltaEvent(0, TextPartDelta(word)) for word in WORDS[1:]]
    return EventModel([PartStartEvent(0, TextPart(WORDS[0])), *deltas], ModelResponse([TextPart("".join(WORDS))]))


class TellingStore(MemoryStore):
    """Counts what is told of running steps."""

    told = 0

    def tell(self, run_id: str, epoch: int, event: EventRecord) -> None:
        self.told += 1
        super().tell(run_id, epoch, event)


@pytest.mark.parametrize("delta", [True, False])
async def test_the_reply_so_far_is_not_put_together_for_each_delta_of_its_text(delta: bool) -> None:  # noqa: FBT001
    model, store = talking(), TellingStore()
    async with Agent(model, store=store).run_stream("Hello") as response:
        texts = [text async for text in response.stream_text(delta=delta, debounce_by=None)]
    assert len(texts) == DELTAS + 1
    assert model.asked["reply"] <= 3
    assert model.asked["usage"] <= 3
    assert store.told <= DELTAS / 64 + 2


async def test_only_limits_look_at_the_usage_of_each_delta() -> None:
    model = talking()
    limits = UsageLimits(response_tokens_limit=10)
    async with Agent(model).run_stream("Hello", usage_limits=limits) as response:
        await response.get_data()
    assert DELTAS <= model.asked["usage"] <= DELTAS + 4
    assert model.asked["reply"] <= 3
