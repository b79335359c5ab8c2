"""burr: an action that follows itself; `MapStates` over the branches; every step kept by `AsyncInMemoryPersister`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Any

from burr.core import ApplicationBuilder, ApplicationContext, State, action, default, expr
from burr.core.parallelism import MapStates
from burr.core.persistence import AsyncInMemoryPersister
from cell import Cell, Fresh, Work
from work import square


@action(reads=["n"], writes=["n"])
async def count(state: State) -> State:
    return state.update(n=state["n"] + 1)


@action(reads=["n"], writes=["total"])
async def done(state: State) -> State:
    return state.update(total=state["n"])


@action(reads=["number"], writes=["square"])
async def branch(state: State) -> State:
    return state.update(square=await square(state["number"]))


class Spread(MapStates):
    def is_async(self) -> bool:
        return True

    def action(self, state: State, inputs: dict[str, Any]) -> Callable[..., Any]:
        return branch

    async def states(
        self, state: State, context: ApplicationContext, inputs: dict[str, Any]
    ) -> AsyncGenerator[State, None]:
        for number in range(state["count"]):
            yield state.update(number=number)

    async def reduce(self, state: State, results: AsyncGenerator[State, None]) -> State:
        return state.update(total=sum([each["square"] async for each in results]))

    @property
    def reads(self) -> list[str]:
        return ["count"]

    @property
    def writes(self) -> list[str]:
        return ["total"]


def counting(size: int) -> ApplicationBuilder:
    return (
        ApplicationBuilder()
        .with_actions(count=count, done=done)
        .with_transitions(("count", "count", expr(f"n < {size}")), ("count", "done", default))
        .with_state(n=0)
        .with_entrypoint("count")
    )


def spreading(size: int) -> ApplicationBuilder:
    return ApplicationBuilder().with_actions(done=Spread()).with_state(count=size).with_entrypoint("done")


def ending(builder: ApplicationBuilder, kept: AsyncInMemoryPersister | None = None) -> Work:
    """The work of running an application to the action `done`, which writes `total`."""
    builder = builder.with_identifiers(app_id="run")

    async def work() -> int:
        application = await (builder if kept is None else builder.with_state_persister(kept)).abuild()
        _, _, state = await application.arun(halt_after=["done"])
        return state["total"]

    return work


CELLS: dict[str, Cell] = {
    "transitions": lambda size: ending(counting(size)),
    "transitions-stored": Fresh(lambda size: ending(counting(size), AsyncInMemoryPersister())),
    "fork": lambda size: ending(spreading(size)),
    "fork-stored": Fresh(lambda size: ending(spreading(size), AsyncInMemoryPersister())),
}
