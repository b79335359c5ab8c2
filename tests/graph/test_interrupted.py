"""Nodes that say what their step comes to when it ends in the middle."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any

import anyio
import pytest

from agentgraph.exceptions import StoreError
from agentgraph.graph import Appended, BaseNode, Commit, End, Graph, GraphRunContext, Status, Store
from agentgraph.stores import MemoryStore
from tests.graph.samples import Line

pytestmark = pytest.mark.anyio


@dataclass
class Book:
    lines: Annotated[list[Line], Appended] = field(default_factory=list[Line])


Do = Callable[[], Awaitable[object]]


@dataclass
class Write(BaseNode[Book, Any, str]):
    """Writes its text word by word; what it has written stays when it is interrupted."""

    text: str
    written: int = field(default=0, init=False, repr=False, compare=False)

    async def run(self, ctx: GraphRunContext[Book, Any]) -> End[str]:
        for word in self.text.split():
            do: Do | None = ctx.deps  # Any: what happens between two words
            if do is not None and self.written == 2:
                await do()
            ctx.state.lines.append(Line(word))
            self.written += 1
        return End(" ".join(line.text for line in ctx.state.lines))

    def interrupted(self, ctx: GraphRunContext[Book, Any]) -> Write | None:
        if self.text == "broken":
            raise ZeroDivisionError
        return Write(" ".join(self.text.split()[self.written :])) if self.written else None


graph = Graph(nodes=[Write], name="writing")


async def begin(store: Store, do: Do, text: str = "one two three four") -> None:
    await graph.run(Write(text), state=Book(), deps=do, store=store, run_id="r")


async def raising(error: Exception) -> None:
    raise error


async def check_kept(store: Store, status: Status, error: str | None = None) -> None:
    record = await store.load("r")
    assert (record.status, record.error, record.seq, record.pending) == (status, error, 1, "Write")
    assert [(row.seq, row.node, row.outcome) for row in await store.steps("r", after=-1)] == [(0, "Write", "Write")]
    async with graph.iter(resume="r", store=store) as run:
        assert run.next_node == Write("three four")
        assert [line.text for line in run.state.lines] == ["one", "two"]
        await run.next()
    assert (await graph.run(resume="r", store=store)).output == "one two three four"


async def test_a_cancelled_step_is_committed_as_far_as_it_came(store: Store) -> None:
    with anyio.CancelScope() as scope:

        async def cancel() -> None:
            scope.cancel()
            await anyio.sleep_forever()

        await begin(store, cancel)
    await check_kept(store, Status.CANCELLED)


async def test_a_failed_step_is_committed_as_far_as_it_came(store: Store) -> None:
    with pytest.raises(KeyError) as caught:
        await begin(store, partial(raising, KeyError("word")))
    assert caught.value.__notes__ == ["raised in run 'r', step 0 (Write)"]
    await check_kept(store, Status.FAILED, "KeyError: 'word'")


async def test_a_step_that_came_nowhere_is_taken_anew(store: Store) -> None:
    async with graph.iter(Write("one two three four"), state=Book(), store=store, run_id="r") as run:
        await run.cancel()
    record = await store.load("r")
    assert (record.status, record.seq) == (Status.CANCELLED, 0)
    assert (await graph.run(resume="r", store=store)).output == "one two three four"


async def test_a_run_is_given_up_though_its_node_cannot_say(store: Store) -> None:
    with pytest.raises(ZeroDivisionError):
        async with graph.iter(Write("broken"), state=Book(), store=store, run_id="r") as run:
            await run.cancel()
    assert (await store.load("r")).status is Status.CANCELLED


async def test_an_error_and_a_cancel_from_elsewhere_are_a_cancel(store: Store, elsewhere: Store) -> None:
    async def cancelled_then_broken() -> None:
        await elsewhere.cancel("r")
        raise KeyError

    with pytest.raises(KeyError):
        await begin(store, cancelled_then_broken)
    await check_kept(store, Status.CANCELLED)


class Full(MemoryStore):
    """Refuses steps."""

    async def commit(self, commit: Commit) -> Status:
        message = "there is no space left"
        raise StoreError(message)


@pytest.mark.parametrize(("error", "status"), [(KeyError(), Status.FAILED), (None, Status.CANCELLED)])
async def test_a_store_that_refuses_the_step_is_told_how_the_run_ended(error: Exception | None, status: Status) -> None:
    store = Full()
    with anyio.CancelScope() as scope:

        async def stop() -> None:
            if error is not None:
                raise error
            scope.cancel()
            await anyio.sleep_forever()

        with suppress(KeyError):
            await begin(store, stop)
    record = await store.load("r")
    assert (record.status, record.seq) == (status, 0)


async def test_what_a_refused_commit_left_behind_is_not_committed_again() -> None:
    store = Full()
    with pytest.raises(StoreError, match="no space left"):
        await begin(store, partial(anyio.sleep, 0))
    record = await store.load("r")
    assert (record.status, record.error) == (Status.FAILED, "StoreError: there is no space left")


async def test_a_run_that_is_kept_nowhere_keeps_nothing() -> None:
    with pytest.raises(KeyError):
        await graph.run(Write("one two three"), state=Book(), deps=partial(raising, KeyError()))
