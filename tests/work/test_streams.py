"""What a reply takes that is read while it comes: nothing of what has come is looked at again for the next piece."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

import pytest
from pydantic import AfterValidator, BaseModel

from agentgraph import Agent
from agentgraph.graph.store import EventRecord
from agentgraph.messages import (
    ModelMessage,
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
)
from agentgraph.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel
from agentgraph.stores import MemoryStore
from agentgraph.usage import UsageLimits
from tests.agent.scripted import EventModel
from tests.work.counting import counted_calls

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


async def work_of_a_result(size: int) -> tuple[int, int, int]:
    """How often names are validated, how many functions are called, and how many results are read."""
    named = 0

    def count(name: str) -> str:
        nonlocal named
        named += 1
        return name

    class Item(BaseModel):
        name: Annotated[str, AfterValidator(count)] = ""
        tags: list[str] = []

    class Listed(BaseModel):
        items: list[Item] = []

    listed = Listed(items=[Item(name=f"item number {n}", tags=["red", "green", "blue"]) for n in range(size)])
    text = listed.model_dump_json()

    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[DeltaToolCalls]:
        for at in range(0, len(text), 20):
            yield {0: DeltaToolCall(None if at else info.result_tools[0].name, text[at : at + 20])}

    named = 0
    with counted_calls() as calls:
        async with Agent(FunctionModel(stream_function=stream), result_type=Listed).run_stream("Hello") as response:
            results = [result async for result in response.stream(debounce_by=None)]
    assert results[-1] == listed
    assert calls.of("messages/deltas.py", "parts") < 9
    return named, calls.within("result/"), len(results)


async def test_a_result_is_validated_once_but_for_what_is_open() -> None:
    small, large = [await work_of_a_result(size) for size in (100, 400)]
    assert small[0] < 6 * 100
    for before, after in zip(small, large, strict=True):
        assert after < 4.2 * before
