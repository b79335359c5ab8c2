"""The shop: weeks pass in a moment, and nothing is forgotten or done twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agentgraph import RunWaiting
from agentgraph.graph import RunEvent, Scheduler, StepEnded
from agentgraph.stores import MemoryStore
from agentgraph.testing import HandClock
from examples.orders import DAY, Decision, Order, Reserve, Shop, go_on, ordering

LETTERS = [
    (0, 1, "invoice"),
    (1, 2, "invoice"),
    (2, 3, "cancelled: refused by the boss"),
    (2, 4, "invoice"),
    (3, 5, "cancelled: not in stock"),
    (8, 2, "reminder"),
    (9, 4, "reminder"),
    (16, 1, "how do you like it?"),
    (16, 4, "cancelled: never paid"),
    (24, 2, "how do you like it?"),
]


@pytest.fixture
def shop(folder: Path) -> Shop:
    shop = Shop(folder / "shop.db")
    shop.open()
    return shop


@pytest.mark.anyio
async def test_every_order_takes_its_days(folder: Path) -> None:
    asked: list[str] = []

    def boss(question: str) -> Decision:
        asked.append(question)
        return Decision(agreed="teapot" in question, by="the boss")

    shop = await go_on(folder, boss=boss)
    assert sorted(shop.letters()) == LETTERS
    assert asked == [
        "Ben orders 40 of teapot for 1,800.00 euros. Agreed?",
        "Carla orders 300 of cup for 3,600.00 euros. Agreed?",
    ]
    assert shop.today() == 25


@pytest.mark.anyio
async def test_an_order_that_waits_for_money_sleeps_until_the_morning(shop: Shop) -> None:
    scheduler = Scheduler(MemoryStore(), clock := HandClock())
    dora = Order(4, "Dora", "teapot", 1, 4500)
    with pytest.raises(RunWaiting) as waiting:
        await ordering.run(Reserve(), state=dora, deps=shop, scheduler=scheduler, run_id="r")
    for _ in range(13):
        assert waiting.value.wake_at == datetime.fromtimestamp(clock.seconds, UTC) + timedelta(days=1)
        clock.seconds += DAY
        with pytest.raises(RunWaiting) as waiting:
            await ordering.run(resume="r", deps=shop, scheduler=scheduler)
    clock.seconds += DAY
    ended = await ordering.run(resume="r", deps=shop, scheduler=scheduler)
    assert ended.output == "cancelled: never paid"


@pytest.mark.anyio
async def test_a_large_order_waits_for_an_answer_and_gives_its_goods_back_if_refused(shop: Shop) -> None:
    store = MemoryStore()
    ben = Order(2, "Ben", "teapot", 40, 180_000)
    with pytest.raises(RunWaiting) as waiting:
        await ordering.run(Reserve(), state=ben, deps=shop, store=store, run_id="r")
    assert (len(waiting.value.requests), waiting.value.wake_at) == (1, None)
    await store.answer("r", "approval", {"agreed": False, "by": "Eve"})
    ended = await ordering.run(resume="r", deps=shop, store=store)
    assert ended.output == "cancelled: refused by Eve"
    assert shop.reserve(Order(5, "Emil", "teapot", 60, 1))  # all of them are there again


@pytest.mark.anyio
async def test_an_order_that_met_an_error_or_was_interrupted_is_not_forgotten(folder: Path) -> None:
    def stumble(event: RunEvent) -> None:
        match event:
            case StepEnded(run_id="order-2", node="Remind"):
                raise OSError("the terminal is gone")
            case StepEnded(run_id="order-4", node="Remind"):
                raise KeyboardInterrupt
            case _:
                pass

    with pytest.raises(OSError, match="the terminal"):
        await go_on(folder, [stumble])
    with pytest.raises(KeyboardInterrupt):
        await go_on(folder, [stumble])
    assert sorted((await go_on(folder)).letters()) == LETTERS


def test_killed_after_every_fifth_step_it_comes_to_the_same_end(
    folder: Path, killed: Callable[[str, int], int], script: Callable[[str], str]
) -> None:
    assert killed("orders", 5) >= 8
    said = script("orders")
    letters = [line for line in said.splitlines() if " order " in line and ": " in line]
    assert {line.partition("order ")[2] for line in letters} == {f"{order}: {subject}" for _, order, subject in LETTERS}
    assert len(letters) == len(LETTERS)
    for picture in ("graph.svg", "order-2.svg"):
        assert (folder / picture).read_text(encoding="utf-8").startswith("<svg")
