"""An agent that says and does what its share of a run is, and what a share can be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from hypothesis import strategies as st

from agentgraph import Agent, RunContext
from agentgraph.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    TextPart,
    ToolCallPart,
)
from agentgraph.models.function import AgentInfo, FunctionModel
from agentgraph.models.transcript import answers_call, transcript
from tests.agent.doors import plain
from tests.agent.interrupting import Accident
from tests.conformance.runs_model import NEVER

__all__ = ["Share", "Tripped", "clerk", "history_of", "shares"]

SAYS: dict[str, list[str]] = {
    "talk": [],
    "work": ["work", "work"],
    "pay": ["work", "pay", "pay"],
    "trip": ["work", "trip"],
}
"""What the model calls when it says so."""

ACTS = ["time", "time", "finish", "step", "die", "die", "fork", "delete", "cancel"]
"""What others do while a process waits for the model of a run."""


class Tripped(Exception):
    """What a tool raises."""


@dataclass
class Share:
    """What a process does to a run while it has it."""

    replies: list[str] = field(default_factory=list[str])
    steps: int = NEVER
    """After so many, it leaves."""
    dies_at: int = NEVER
    """At which of its writes."""
    accident: Accident = "killed before"
    trips: bool = False
    meanwhile: list[str] = field(default_factory=list[str])
    """What others do while it waits for the model for the first time."""


shares = st.builds(
    Share,
    replies=st.lists(st.sampled_from(sorted(SAYS)), max_size=3),
    steps=st.sampled_from([0, 1, 2, 3, NEVER, NEVER, NEVER]),
    dies_at=st.sampled_from([1, 2, 3, 4, 5, 7, NEVER, NEVER, NEVER, NEVER]),
    accident=st.sampled_from(["killed before", "killed after"]),
    trips=st.booleans(),
    meanwhile=st.lists(
        st.sampled_from(["time", "time", "finish", "step", "die", "die", "fork", "delete", "cancel"]), max_size=3
    ),
)


def check_sent(messages: list[ModelMessage]) -> None:
    """What goes over a wire has an answer to each call, and a call to each answer."""
    sent = transcript(messages)
    calls = [part.tool_call_id for each in sent for part in each.parts if isinstance(part, ToolCallPart)]
    answers = [
        part.tool_call_id
        for each in sent
        if isinstance(each, ModelRequest)
        for part in each.parts
        if answers_call(part)
    ]
    assert calls == answers


def history_of(messages: list[ModelMessage]) -> list[str]:
    """Each message, without its times."""
    return [str(plain([message])) for message in messages]


def clerk(
    share: Share,
    name: Callable[[str], str],
    made: Callable[[str], None],
    meanwhile: Callable[[str], Awaitable[None]],
) -> Agent[None, str]:
    """The agent; `name` makes up what nobody has said before, `made` hears of the idempotency key of each call."""

    async def reply(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        check_sent(messages)
        acts, share.meanwhile = share.meanwhile, []
        for act in acts:
            await meanwhile(act)
        calls = SAYS[share.replies.pop(0) if share.replies else "talk"]
        parts: list[ModelResponsePart] = [ToolCallPart(each, {}, name("call")) for each in calls]
        return ModelResponse(parts or [TextPart(name("said "))])

    agent = Agent(FunctionModel(reply), name="clerk")

    def make(ctx: RunContext[None]) -> str:
        assert ctx.idempotency_key is not None
        made(ctx.idempotency_key)
        return "made"

    @agent.tool
    async def work(ctx: RunContext[None]) -> str:
        return make(ctx)

    @agent.tool(requires_approval=True)
    async def pay(ctx: RunContext[None]) -> str:
        return make(ctx)

    @agent.tool
    async def trip(ctx: RunContext[None]) -> str:
        if share.trips:
            raise Tripped
        return make(ctx)

    return agent
