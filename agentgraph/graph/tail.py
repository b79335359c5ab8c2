"""Which rows of a run have to be read for it to go on: the newest ones, where nothing points to older ones.

The run's own row has the small state. What comes next stands in the body of the newest step; a field that was handed on
unchanged points to the step before, and so on, but not beyond a step whose seq is a multiple of `SNAPSHOT_EVERY`. So
a loop of a hundred thousand steps is resumed as fast as one of ten. Lists that are stored by items, and states that are
upgraded, need all rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic_core import from_json

from .body import points_back
from .checks import FORK
from .codec import Codec
from .ledger import SNAPSHOT_EVERY
from .lineage import lineage
from .store import ROOT, RunReader, RunRecord, StepRecord

__all__ = ["rows_of"]


async def rows_of(store: RunReader, codec: Codec, record: RunRecord) -> list[StepRecord]:
    """The rows from which `Codec.restore` reads a run, the oldest first.

    Raises:
        RunNotFound: a run that it goes on from is gone.
        StoreError: the store cannot be read, or was opened without the key of what is encrypted.
    """
    record.check_readable()
    if record.pending != FORK and _is_whole(codec, record.state):
        newest = record.seq - 1
        for first in (newest, newest - newest % SNAPSHOT_EVERY):
            found = _enough(await store.steps(record.run_id, first - 1), newest)
            if found:
                return found
    return await lineage(store, record)


def _is_whole(codec: Codec, state: bytes) -> bool:
    """Whether the small state is all of the state, as far as can be told."""
    if codec.state.lists or codec.upgrades.state is not None:
        return False
    try:
        stored: Mapping[str, object] = from_json(state)
        return codec.state.fields.keys() <= stored.keys()
    except (ValueError, AttributeError):
        return False  # whoever reads it says why


def _enough(rows: Sequence[StepRecord], newest: int) -> list[StepRecord]:
    """The last of the root's rows, from one that points to none before; none where that is not among them."""
    own = [row for row in rows if row.branch == ROOT]
    if not own or own[-1].seq != newest:
        return []
    for index in range(len(own) - 1, -1, -1):
        if not points_back(own[index].body):
            return own[index:]
    return []
