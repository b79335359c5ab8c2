"""The support desk's tools, in this process."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from agentgraph import ModelRetry, RunContext, Usage
from agentgraph.cli.demo.agent import (
    add_note,
    escalate,
    look_up_customer,
    look_up_order,
    refund_order,
    search_orders,
    support_desk,
)
from agentgraph.cli.demo.database import Shop
from agentgraph.models.test import TestModel


@pytest.fixture
def ctx(tmp_path: Path) -> RunContext[Shop]:
    shop = Shop(tmp_path / "shop.db")
    shop.create()
    return RunContext(shop, TestModel(), Usage(), "", idempotency_key="run/1/0", tool_name="a_tool")


def test_customers_and_orders_are_found(ctx: RunContext[Shop]) -> None:
    ada = look_up_customer(ctx, "Ada@example.com")
    assert ada.name == "Ada Quist"
    assert look_up_order(ctx, 102).item == "espresso machine"
    assert [order.id for order in search_orders(ctx, ada.id, ["Machine", "grinder"])] == [102, 101]
    assert len(search_orders(ctx, ada.id, [])) == 3


def test_what_is_not_there_is_asked_for_again(ctx: RunContext[Shop]) -> None:
    with pytest.raises(ModelRetry, match="No customer has the address"):
        look_up_customer(ctx, "nobody@example.com")
    with pytest.raises(ModelRetry, match="There is no order 1"):
        look_up_order(ctx, 1)
    with pytest.raises(ModelRetry, match="There is no ticket 1"):
        add_note(ctx, 1, "hm")


def test_a_refund_is_bounded_by_the_price_and_by_nothing_else(ctx: RunContext[Shop]) -> None:
    with pytest.raises(ModelRetry, match="refund at most"):
        refund_order(ctx, 103, 1251, "too much")
    refund_order(ctx, 103, 1250, "broken")
    refund_order(ctx, 103, 1250, "broken")
    assert [refund.cents for refund in ctx.deps.refunds] == [1250, 1250]


def test_a_note_is_kept(ctx: RunContext[Shop]) -> None:
    assert add_note(ctx, 7, "called back") == "note 1 added"


@pytest.mark.anyio
async def test_an_escalation_waits_for_a_person(ctx: RunContext[Shop]) -> None:
    async with anyio.create_task_group() as group:

        async def pick_up() -> None:
            while not ctx.deps.escalations:  # noqa: ASYNC110 - a row of the database says so
                await anyio.sleep(0.001)
            ctx.deps.take_up("run/1/0", "Noor")

        group.start_soon(pick_up)
        assert (await escalate(ctx, 7, "cracked")).person == "Noor"
    assert (await escalate(ctx, 7, "again, with the same key")).reason == "cracked"
    assert [call.tool for call in ctx.deps.calls] == ["a_tool", "a_tool"]


def test_the_desk_has_a_name_and_a_typed_result() -> None:
    assert support_desk.name == "support desk"
    assert set(support_desk.result_type.model_fields) == {"ticket_id", "outcome", "refunded_cents", "reply"}
