"""A file whose log was cut off or spoilt where it was copied: what stands before that is all there, and goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from shutil import copy

import anyio
import pytest

from agentgraph.exceptions import RunNotFound
from agentgraph.stores import SQLiteStore
from agentgraph.stores.samples import HandClock
from tests.graph.counting import Count, Sums, Traces, counting

LAST = 9
PAGE = 4096
HEAD, FRAME = 32, 24 + PAGE
"""Bytes of the log before its first page, and of each page with its own head."""

Tear = Callable[[bytes, int], bytes]
TEARS: dict[str, Tear] = {
    "cut off": lambda log, at: log[:at],
    "zeros": lambda log, at: log[:at] + bytes(len(log) - at),
    "noise": lambda log, at: log[:at] + Random(at).randbytes(len(log) - at),
    "a hole": lambda log, at: log[:at] + bytes(min(512, len(log) - at)) + log[at + 512 :],
}


@dataclass(frozen=True)
class Original:
    """A run that has ended, its file as the process left it without closing it, and how the log grew."""

    file: bytes
    log: bytes
    sizes: Sequence[int]
    """How long the log was when each step, the opening first, was known to be committed."""

    def known(self, at: int) -> int:
        """The steps that were known to be committed when the log was this long; 0: not even the opening."""
        return sum(size <= at for size in self.sizes)

    def torn(self, folder: Path, tear: Tear, at: int) -> Path:
        path = folder / f"{at}.db"
        path.write_bytes(self.file)
        path.with_name(f"{at}.db-wal").write_bytes(tear(self.log, at))
        return path


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    return anyio.run(count_to_the_end, tmp_path_factory.mktemp("original"))


async def count_to_the_end(folder: Path) -> Original:
    store = SQLiteStore(folder / "runs.db", synchronous="NORMAL", clock=HandClock(1_000_000))
    log, sizes = folder / "runs.db-wal", list[int]()
    async with counting.iter(Count(0, LAST), state=Sums(), deps=Traces(), store=store, run_id="r") as run:
        sizes.append(log.stat().st_size)
        async for _ in run:
            sizes.append(log.stat().st_size)
    left = Original(store.path.read_bytes(), log.read_bytes(), [sizes[0], *sizes[2:]])
    await store.aclose()
    return left


async def go_on(path: Path) -> tuple[int, Traces]:
    """To the end; how many steps there were, and what was called again."""
    store, traces = SQLiteStore(path, synchronous="NORMAL", clock=HandClock(2_000_000)), Traces()
    try:
        rows = await store.steps("r")
        ended = await counting.run(resume="r", deps=traces, store=store)
        assert (ended.output, ended.state.parts) == (sum(range(LAST + 1)), list(range(LAST + 1)))
        assert [row.seq for row in await store.steps("r")] == list(range(-1, LAST + 1))
        return len(rows), traces
    except RunNotFound:
        return 0, traces
    finally:
        await store.aclose()


@pytest.mark.parametrize("tear", TEARS)
def test_a_torn_log_keeps_what_was_committed_before_the_tear(tmp_path: Path, original: Original, tear: str) -> None:
    frames = range(HEAD, len(original.log), FRAME)
    assert original.log[:4] == b"\x37\x7f\x06\x82"
    for at in sorted({0, HEAD - 1, *Random(tear).sample([end + by for end in frames for by in (-1, 0, 24, 99)], 24)}):
        found, traces = anyio.run(go_on, original.torn(tmp_path, TEARS[tear], at))
        assert found >= original.known(at)
        assert set(traces.values()) <= {1}
        assert not {("r", seq) for seq in range(found - 1)} & set(traces)


def test_a_copy_without_its_log_is_what_it_was_before(tmp_path: Path, original: Original) -> None:
    copied = original.torn(tmp_path, TEARS["cut off"], len(original.log))
    alone = tmp_path / "alone.db"
    copy(copied, alone)
    assert anyio.run(go_on, alone)[0] <= LAST + 2
    assert anyio.run(go_on, copied) == (LAST + 2, Traces())
