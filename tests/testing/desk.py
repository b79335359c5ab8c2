"""An agent of two tools, and scenarios that run it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from anyio.lowlevel import checkpoint

from agentgraph import Agent, RunContext
from agentgraph.graph import AfterCrash
from agentgraph.models.test import TestModel
from agentgraph.testing import Attempt, Scenario

__all__ = ["World", "booking", "desk", "running"]

AnyAgent = Agent[None, Any]  # Any: whatever it ends with


@dataclass
class World:
    """What tools write to outside: one for each crash."""

    done: Counter[str] = field(default_factory=Counter[str])

    def enter(self, attempt: Attempt) -> None:
        if attempt.first:
            self.done.clear()


def desk(world: World, after_crash: AfterCrash = "retry") -> AnyAgent:
    agent: AnyAgent = Agent(TestModel(), name="desk")

    @agent.tool(after_crash=after_crash)
    async def charge(ctx: RunContext[None], booking: int) -> str:
        world.done["charge"] += 1
        await checkpoint()
        return "charged"

    @agent.tool
    def confirm(ctx: RunContext[None], booking: int) -> str:
        world.done["confirm"] += 1
        return "sent"

    return agent


def running(agent: AnyAgent, world: World | None = None) -> Scenario:
    """Runs the agent plainly."""

    async def scenario(attempt: Attempt) -> None:
        if world is not None:
            world.enter(attempt)
        await agent.run(attempt.prompt("Book it"), **attempt.options)

    return scenario


def booking(change: Callable[[AnyAgent], object] = lambda agent: None) -> Scenario:
    """Runs the desk plainly, changed by `change`."""
    agent = desk(World())
    change(agent)
    return running(agent)
