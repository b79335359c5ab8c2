"""The picture of a stored run: what of it has to be read. `trail.py` draws it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike
from typing import TYPE_CHECKING

from pydantic_core import to_json

from .lineage import lineage
from .picture import Picture
from .questions import Question
from .store import OPENING, Store, StoredRun, resolve_store

if TYPE_CHECKING:
    from agentgraph.drawing import Direction

__all__ = ["run_picture"]


async def run_picture(
    store: Store | str | PathLike[str],
    run_id: str,
    *,
    direction: Direction = "TB",
    steps: int = 40,
    branches: int = 10,
    notes: Mapping[int, str] | None = None,
    asked: Callable[[Question], str] | None = None,
) -> Picture:
    """Draw a stored run: the path it took, and where it waits, failed or ended.

    Args:
        store: where the run is kept, or what `open_store` takes.
        run_id: the run, which may be executed meanwhile; it is only read.
        direction: where the picture runs to.
        steps: how many steps of each branch are drawn; of more, the first and the last.
        branches: how many branches of each fork are drawn: those that have not ended, and the first of the others.
        notes: what to write beside steps of the root branch, by their numbers.
        asked: how a question is written that the run waits for; by default what it is about, as text or as JSON.

    Raises:
        RunNotFound: there is no such run.
        StoreError: the store cannot be read, or was opened without the key of what is encrypted.
    """
    from agentgraph.drawing import state_code

    from .trail import TrailOptions, trail

    where = resolve_store(store)
    assert where is not None  # `store` is none of what stands for no store
    record = await where.load(run_id)
    own = await where.steps(run_id)
    goes_on = record.origin is not None and (not own or own[0].seq != OPENING)
    rows = await lineage(where, record) if goes_on else own
    stored = StoredRun(run=record, steps=rows, calls=await where.calls(run_id), branches=await where.branches(run_id))
    chart = trail(stored, len(rows) - len(own), TrailOptions(direction, steps, branches, notes or {}, asked or _about))
    return Picture(state_code(chart), chart)


def _about(question: Question) -> str:
    return question.about if isinstance(question.about, str) else to_json(question.about).decode()
