"""Programs of March 2025 in which several agents work together."""

from __future__ import annotations

from typing import Literal

import pytest
from pydantic import BaseModel, Field

from agentgraph import Agent, RunContext, Usage, UsageLimitExceeded, UsageLimits
from agentgraph.messages import ToolReturnPart

pytestmark = pytest.mark.anyio

picker = Agent("test", system_prompt="Choose the best joke.")
writer = Agent("test", result_type=list[str])


@picker.tool
async def jokes(ctx: RunContext[None], count: int) -> list[str]:
    result = await writer.run(f"Write {count} jokes.", usage=ctx.usage)
    return result.data


def test_an_agent_works_for_another_one() -> None:
    result = picker.run_sync("Tell a joke.", usage_limits=UsageLimits(request_limit=5, total_tokens_limit=300))
    assert (result.data, result.usage().requests) == ('{"jokes":["a"]}', 3)
    with pytest.raises(UsageLimitExceeded):
        picker.run_sync("Tell a joke.", usage_limits=UsageLimits(request_limit=2))


class Flight(BaseModel):
    number: str


class Seat(BaseModel):
    row: int = Field(ge=1, le=30)
    letter: Literal["A", "B", "C"]


class Failed(BaseModel):
    """There is none."""


flights = Agent[None, Flight | Failed]("test", result_type=Flight | Failed)  # type: ignore[arg-type]  # as above
seats = Agent[None, Seat | Failed]("test", result_type=Seat | Failed)  # type: ignore[arg-type]  # as above


async def test_one_agent_takes_over_from_another() -> None:
    usage, limits = Usage(), UsageLimits(request_limit=3)
    flight = await flights.run("To Oslo", usage=usage, usage_limits=limits)
    again = flight.all_messages(result_tool_return_content="That one is full, please try again.")
    assert [part.content for part in again[-1].parts if isinstance(part, ToolReturnPart)] == [
        "That one is full, please try again."
    ]
    other = await flights.run("Another one", message_history=again, usage=usage, usage_limits=limits)
    seat = await seats.run("By the window", usage=usage, usage_limits=limits)
    assert (other.data, seat.data, usage.requests) == (Flight(number="a"), Seat(row=1, letter="A"), 3)
    with pytest.raises(UsageLimitExceeded):
        await seats.run("Or not", usage=usage, usage_limits=limits)
