"""The support desk: an agent with tools over the shop's database, and a typed result."""

from __future__ import annotations

from typing import Literal

import anyio
from anyio import to_thread
from pydantic import BaseModel, Field

from agentgraph.agent import Agent
from agentgraph.context import RunContext
from agentgraph.exceptions import ModelRetry

from .database import Customer, Escalation, Order, Refund, Shop

__all__ = ["Resolution", "support_desk"]

INSTRUCTIONS = """\
You work at the support desk of a shop for coffee gear. Find the customer and the order that a ticket is about before
you do anything. You may refund damaged goods up to 20000 cents; what is more goes to a person. A damaged item is always
escalated as well, so that a person talks to the supplier. When you know what to do, say so in a sentence and call
refund_order, add_note and escalate together, in one reply. End with the resolution of the ticket."""

PICK_UP_SECONDS = 60.0
"""How long an escalation waits for a person."""

POLL_SECONDS = 0.02


class Resolution(BaseModel):
    """How a ticket was resolved."""

    ticket_id: int
    outcome: Literal["refunded", "escalated", "answered"]
    refunded_cents: int = Field(default=0, description="What was given back, 0 if nothing was.")
    reply: str = Field(description="What the customer is told.")


support_desk = Agent(deps_type=Shop, result_type=Resolution, name="support desk", system_prompt=INSTRUCTIONS, retries=2)


@support_desk.tool
def look_up_customer(ctx: RunContext[Shop], email: str) -> Customer:
    """Find a customer by the address they write from."""
    _log(ctx)
    found = ctx.deps.customer(email)
    if found is None:
        raise ModelRetry(f"No customer has the address {email}.")
    return found


@support_desk.tool
def look_up_order(ctx: RunContext[Shop], order_id: int) -> Order:
    """Find an order by its number."""
    _log(ctx)
    return _order(ctx, order_id)


@support_desk.tool
def search_orders(ctx: RunContext[Shop], customer_id: int, words: list[str]) -> list[Order]:
    """Search a customer's orders for items whose name holds one of the words; without words all of them."""
    _log(ctx)
    wanted = {word.lower() for word in words}
    return [order for order in ctx.deps.orders(customer_id) if not wanted or wanted & set(order.item.split())]


@support_desk.tool
def refund_order(ctx: RunContext[Shop], order_id: int, cents: int, reason: str) -> Refund:
    """Give a customer money back for an order."""
    _log(ctx)
    order = _order(ctx, order_id)
    if not 0 < cents <= order.cents:
        raise ModelRetry(f"Order {order_id} cost {order.cents} cents; refund at most that.")
    return ctx.deps.refund(order_id, cents, reason)


@support_desk.tool
def add_note(ctx: RunContext[Shop], ticket_id: int, note: str) -> str:
    """Add a note to a ticket, for colleagues."""
    _log(ctx)
    _check_ticket(ctx, ticket_id)
    return f"note {ctx.deps.add_note(ticket_id, note)} added"


@support_desk.tool(timeout=PICK_UP_SECONDS)
async def escalate(ctx: RunContext[Shop], ticket_id: int, reason: str) -> Escalation:
    """Hand a ticket to a person, and wait until somebody has taken it up."""
    await to_thread.run_sync(_log, ctx)
    _check_ticket(ctx, ticket_id)
    # The key is the same when the call is made again after a crash, so the ticket is handed over once.
    key = ctx.idempotency_key or ""
    handed = await to_thread.run_sync(ctx.deps.escalate, key, ticket_id, reason)
    while handed.person is None:
        await anyio.sleep(POLL_SECONDS)
        handed = await to_thread.run_sync(ctx.deps.escalation, key)
    return handed


def _order(ctx: RunContext[Shop], order_id: int) -> Order:
    found = ctx.deps.order(order_id)
    if found is None:
        raise ModelRetry(f"There is no order {order_id}.")
    return found


def _check_ticket(ctx: RunContext[Shop], ticket_id: int) -> None:
    if not ctx.deps.has_ticket(ticket_id):
        raise ModelRetry(f"There is no ticket {ticket_id}.")


def _log(ctx: RunContext[Shop]) -> None:
    ctx.deps.log_call(ctx.idempotency_key or "", ctx.tool_name or "")
