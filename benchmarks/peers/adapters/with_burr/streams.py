"""burr: a streaming action. What it yields is not validated, so there are no structured results."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from burr.core import ApplicationBuilder, State
from burr.core.action import streaming_action
from cell import Cell, Work
from work import text_deltas


def text(size: int) -> Work:
    deltas = text_deltas(size)

    @streaming_action(reads=[], writes=["text"])
    async def ask(state: State) -> AsyncGenerator[tuple[dict[str, Any], State | None], None]:
        for delta in deltas:
            yield {"text": delta}, None
        yield {"text": "".join(deltas)}, state.update(text="".join(deltas))

    builder = ApplicationBuilder().with_actions(ask=ask).with_entrypoint("ask")

    async def work() -> int:
        count = 0
        _, container = await (await builder.abuild()).astream_result(halt_after=["ask"])
        async for _ in container:
            count += 1
        return count

    return work


CELLS: dict[str, Cell] = {"text": text, "text-cumulative": "deltas alone", "structured": "no structured results"}
