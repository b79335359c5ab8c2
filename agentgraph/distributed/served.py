"""What a worker executes runs of: agents and graphs by their names, with what they need."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from agentgraph.agent import Agent
from agentgraph.agent.run import AgentRun
from agentgraph.exceptions import RunNotResumable, UserError
from agentgraph.graph import Graph, GraphRun, Observer, RunRecord, Scheduler, Store
from agentgraph.naming import variable_name

__all__ = ["Served", "Services"]


@dataclass(frozen=True)
class Served:
    """An agent or a graph, with the deps of its runs, which are never stored."""

    what: Agent[Any, Any] | Graph[Any, Any, Any]  # Any: of whatever types; each is given its own runs alone
    deps: Callable[[RunRecord], Any] | None = None
    """Makes the deps of a run when it is claimed; None: there are none."""

    @asynccontextmanager
    async def going_on(
        self, record: RunRecord, store: Store, observers: Sequence[Observer] = ()
    ) -> AsyncGenerator[AgentRun[Any] | GraphRun[Any, Any, Any]]:
        """Claim a run and step through it inside the block; leaving the block gives it up.

        Observers are told what happens in it, after those that an agent has.
        """
        deps = None if self.deps is None else self.deps(record)
        opened = self.what.iter(resume=record.run_id, scheduler=Scheduler(store, observers=observers), deps=deps)
        async with opened as run:
            yield run


@dataclass(frozen=True)
class Services:
    """Those of one worker, by what the runs know them by: agents and graphs have names apart."""

    by_name: Mapping[tuple[str, str], Served]

    @classmethod
    def of(cls, given: Sequence[Served | Agent[Any, Any] | Graph[Any, Any, Any]], frame: FrameType | None) -> Services:
        """Of what a worker was given; who has no name takes that of the variable that holds it, seen from `frame`.

        Raises:
            UserError: one has no name, or two have the same.
        """
        found: dict[tuple[str, str], Served] = {}
        for each in given:
            served = each if isinstance(each, Served) else Served(each)
            kind = "agent" if isinstance(served.what, Agent) else "graph"
            name = served.what.name = served.what.name or variable_name(served.what, frame)
            if name is None:
                raise UserError(f"an {kind} can only serve runs that know it by its name: give it `name=`")
            if (kind, name) in found:
                raise UserError(f"two of what is served are {kind} {name!r}: give one of them another `name=`")
            found[kind, name] = served
        return cls(found)

    @property
    def names(self) -> Sequence[str]:
        """Of all of them."""
        return [name for _, name in self.by_name]

    def of_run(self, record: RunRecord) -> Served:
        """What executes a run.

        Raises:
            RunNotResumable: nothing here does.
        """
        key = ("graph", record.graph) if record.agent is None else ("agent", record.agent)
        if key not in self.by_name:
            there_are = ", ".join(f"{kind} {name!r}" for kind, name in self.by_name) or "nothing"
            raise RunNotResumable(record.run_id, [f"it is one of {key[0]} {key[1]!r}, and served here is {there_are}"])
        return self.by_name[key]
