"""llama-index-workflows: a step that writes events to the stream of its run."""

from __future__ import annotations

from cell import Cell, Work
from work import text_deltas
from workflows import Context, Workflow, step
from workflows.events import Event, StartEvent, StopEvent


class Delta(Event):
    text: str


class Agent(Workflow):
    def __init__(self, deltas: list[str]) -> None:
        super().__init__(timeout=None)
        self.deltas = deltas

    @step
    async def ask(self, ctx: Context, event: StartEvent) -> StopEvent:
        for delta in self.deltas:
            ctx.write_event_to_stream(Delta(text=delta))
        return StopEvent(result="".join(self.deltas))


def text(size: int) -> Work:
    agent = Agent(text_deltas(size))

    async def work() -> int:
        count = 0
        handler = agent.run()
        async for event in handler.stream_events():
            count += isinstance(event, Delta)
        await handler
        return count

    return work


CELLS: dict[str, Cell] = {"text": text, "text-cumulative": "deltas alone", "structured": "no structured results"}
