"""llama-index-workflows: a step that is sent its own event; events for branches, collected. It keeps no runs."""

from __future__ import annotations

from cell import Cell, Work
from work import square
from workflows import Context, Workflow, step
from workflows.events import Event, StartEvent, StopEvent


class Count(Event):
    n: int
    until: int


class Counting(Workflow):
    @step
    async def begin(self, event: StartEvent) -> Count:
        return Count(n=0, until=event.until)

    @step
    async def count(self, event: Count) -> Count | StopEvent:
        n = event.n + 1
        return Count(n=n, until=event.until) if n < event.until else StopEvent(result=n)


class Branch(Event):
    number: int


class Squared(Event):
    square: int


class Spreading(Workflow):
    def __init__(self, size: int) -> None:
        super().__init__(timeout=None)
        self.size = size

    @step
    async def spread(self, ctx: Context, event: StartEvent) -> Branch | None:
        for number in range(self.size):
            ctx.send_event(Branch(number=number))

    @step(num_workers=100)
    async def branch(self, event: Branch) -> Squared:
        return Squared(square=await square(event.number))

    @step
    async def total(self, ctx: Context, event: Squared) -> StopEvent | None:
        found = ctx.collect_events(event, [Squared] * self.size)
        return None if found is None else StopEvent(result=sum(each.square for each in found))


def transitions(size: int) -> Work:
    graph = Counting(timeout=None)

    async def work() -> int:
        return await graph.run(until=size)

    return work


def fork(size: int) -> Work:
    graph = Spreading(size)

    async def work() -> int:
        return await graph.run()

    return work


NO_STORE = "no store"

CELLS: dict[str, Cell] = {
    "transitions": transitions,
    "transitions-stored": NO_STORE,
    "fork": fork,
    "fork-stored": NO_STORE,
}
