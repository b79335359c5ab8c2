"""The scripted agent: calls side by side, an agent inside a tool, a retry, a tool that fails once, a result tool.

What the model says depends on the number of its replies so far alone, so every attempt of the run is told the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from agentgraph import Agent, ModelRetry, RunContext
from agentgraph.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from agentgraph.models.function import AgentInfo, FunctionModel

from .legal import check_history
from .place import Place

__all__ = ["Verdict", "desk", "model"]

Ctx = RunContext[Place]

SCRIPT = (
    [
        TextPart("I look into it."),
        ToolCallPart("look_up", {"customer": "ada"}, "call-1"),
        ToolCallPart("weigh", '{"parcel": 3}', "call-2"),
        ToolCallPart("consult", {"question": "is it ours?"}),
    ],
    [ToolCallPart("refund", {"order": 17, "amount": 500}), ToolCallPart("weigh", {"parcel": 4})],
    [
        ToolCallPart("refund", {"order": 17, "amount": 50}, "call-3"),
        ToolCallPart("ship", {"order": 18}),
        ToolCallPart("look_up", {"customer": "bob"}),
    ],
    [ToolCallPart("final_result", {"answer": "refunded", "total": 50}), ToolCallPart("weigh", {"parcel": 5})],
)


@dataclass
class Verdict:
    answer: str
    total: int


@dataclass
class Customer:
    name: str
    orders: list[int]


def model(place: Place) -> FunctionModel:
    """The model of a run that takes place there."""

    async def reply(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        check_history(messages)
        replies = sum(isinstance(message, ModelResponse) for message in messages)
        await place.pass_gate(f"reply {replies}")
        return ModelResponse([*SCRIPT[replies]])

    return FunctionModel(reply)


def advice(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    check_history(messages)
    return ModelResponse([TextPart("yes, it is")])


desk = Agent(deps_type=Place, result_type=Verdict, system_prompt="Help the customer.", name="desk")
adviser = Agent(FunctionModel(advice), name="adviser")


@desk.tool
async def look_up(ctx: Ctx, customer: str) -> Customer:
    await ctx.deps.pass_gate(f"look_up {customer}")
    return ctx.deps.made(ctx.idempotency_key, Customer(customer, [17, 18]))


@desk.tool
def weigh(ctx: Ctx, parcel: int) -> str:
    ctx.deps.pass_gate_in_thread(f"weigh {parcel}")
    return ctx.deps.made(ctx.idempotency_key, f"{parcel} kg")


@desk.tool
async def consult(ctx: Ctx, question: str) -> str:
    """Ask another agent; its requests count for this run."""
    answered = await adviser.run(question, usage=ctx.usage)
    return ctx.deps.made(ctx.idempotency_key, answered.data)


@desk.tool(retries=2)
def refund(ctx: Ctx, order: int, amount: int) -> str:
    if amount > 100:
        raise ctx.deps.made(ctx.idempotency_key, ModelRetry("at most 100 without a manager"))
    return ctx.deps.made(ctx.idempotency_key, f"refunded {amount} for order {order}")


@desk.tool
async def ship(ctx: Ctx, order: int) -> str:
    """Fails the first time, when the calls beside it are in the journal."""
    if ctx.deps.first_time():
        await ctx.deps.wait_for_journal(2)
        raise OSError("the warehouse does not answer")
    return ctx.deps.made(ctx.idempotency_key, f"order {order} is on its way")
