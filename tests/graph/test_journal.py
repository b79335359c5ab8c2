"""Calls that run once per step, whatever becomes of the step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from pydantic import TypeAdapter

from agentgraph.exceptions import GraphRuntimeError, StoreError
from agentgraph.graph import BaseNode, End, Graph, GraphRunContext, JournalRecord, Once, Store
from agentgraph.graph.journal import Journal
from agentgraph.graph.store import JournalKind, Lapsed, never_lapses
from agentgraph.stores import MemoryStore
from tests.graph.samples import Line

pytestmark = pytest.mark.anyio


@dataclass
class Calls:
    """Deps: what a node does with its context, and what was called."""

    do: Callable[[GraphRunContext[None, Calls]], Awaitable[object]]
    made: list[str] = field(default_factory=list[str])

    def line(self, text: str) -> Line:
        self.made.append(text)
        return Line(text)

    async def later(self, text: str) -> Line:
        await checkpoint()
        return self.line(text)

    async def fails(self, text: str) -> Line:
        self.line(text)
        raise KeyError(text)


@dataclass
class Writer:
    """Of a journal."""

    write_journal: Callable[[JournalRecord], Awaitable[None]]
    lapsed: Lapsed = never_lapses


@dataclass
class Work(BaseNode[None, Calls, str]):
    async def run(self, ctx: GraphRunContext[None, Calls]) -> End[str]:
        return End(str(await ctx.deps.do(ctx)))


graph = Graph(nodes=[Work], name="work")


async def crash_then_resume(store: Store, do: Callable[[GraphRunContext[None, Calls]], Awaitable[object]]) -> Calls:
    """What was called when the step fails after `do` in its first attempt, and is run again."""
    calls = Calls(do)

    async def crash(ctx: GraphRunContext[None, Calls]) -> object:
        await do(ctx)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await graph.run(Work(), deps=Calls(crash, calls.made), store=store, run_id="r")
    await graph.run(resume="r", deps=calls, store=store)
    assert await store.calls("r") == []
    return calls


async def test_once_is_not_run_again(store: Store) -> None:
    values: list[Line] = []

    async def do(ctx: GraphRunContext[None, Calls]) -> None:
        values.append(await ctx.once("sync", ctx.deps.line, "a"))
        values.append(await ctx.once("async", ctx.deps.later, "b"))

    assert (await crash_then_resume(store, do)).made == ["a", "b"]
    assert values == [Line("a"), Line("b")] * 2


async def test_a_batch_is_not_run_again_its_held_last_included(store: Store) -> None:
    values: list[list[Line]] = []

    async def do(ctx: GraphRunContext[None, Calls]) -> None:
        values.append(await ctx.once_all([Once(text, ctx.deps.later, [text]) for text in "abc"]))

    assert sorted((await crash_then_resume(store, do)).made) == ["a", "b", "c"]
    assert values == [[Line("a"), Line("b"), Line("c")]] * 2


async def test_what_a_batch_held_is_kept_when_the_step_calls_on(store: Store) -> None:
    async def do(ctx: GraphRunContext[None, Calls]) -> None:
        await ctx.once_all([Once("a", ctx.deps.line, ["a"])])
        await ctx.once_all([Once("b", ctx.deps.line, ["b"])])
        await ctx.once("c", ctx.deps.line, "c")
        await ctx.once_all([Once("a", ctx.deps.line, ["a"])])

    assert (await crash_then_resume(store, do)).made == ["a", "b", "c"]


@pytest.mark.parametrize("kept", [True, False])
async def test_a_key_that_comes_again_in_one_attempt_gives_what_it_gave(kept: bool) -> None:  # noqa: FBT001 - a parameter
    async def do(ctx: GraphRunContext[None, Calls]) -> bool:
        first = await ctx.once("k", ctx.deps.line, "a")
        again = await ctx.once("k", ctx.deps.line, "a")
        other = await ctx.once("k", ctx.deps.line, "b")
        return first is again and other == Line("b")

    calls = Calls(do)
    done = await graph.run(Work(), deps=calls, store=MemoryStore() if kept else None)
    assert (done.output, calls.made) == ("True", ["a", "b"])


async def test_a_batch_of_one_writes_nothing() -> None:
    written: list[JournalRecord] = []

    async def write(record: JournalRecord) -> None:
        written.append(record)

    journal = Journal(Writer(write))
    assert await journal.once_all([Once("a", str, ["x"])]) == ["x"]
    assert (written, journal.written) == ([], False)
    assert [row.key for row in journal.held(taken=True)] == ["a"]
    assert journal.held(taken=True) == []
    await journal.once(Once("b", str, ["y"]))
    assert ([row.key for row in written], journal.written) == (["b"], True)


async def test_keys_of_a_batch_are_unique() -> None:
    with pytest.raises(GraphRuntimeError, match="a key of their own each; these keys came: a, a"):
        await Journal().once_all([Once("a", int), Once("a", int)])


async def test_an_exception_is_not_journaled_but_finished_siblings_are() -> None:
    store = MemoryStore()

    async def do(ctx: GraphRunContext[None, Calls]) -> list[Line]:
        rest = partial(ctx.deps.fails, "c") if not retried else partial(ctx.deps.later, "c")
        named = [Once("a", ctx.deps.line, ["a"]), Once("b", ctx.deps.line, ["b"]), Once[Line]("c", rest, identity="c")]
        return await ctx.once_all(named)

    retried, calls = False, Calls(do)
    with pytest.raises(KeyError):
        await graph.run(Work(), deps=calls, store=store, run_id="r")
    assert sorted(row.key for row in await store.calls("r")) == ["a", "b"]
    retried = True
    done = await graph.run(resume="r", deps=calls, store=store)
    assert done.output == str([Line("a"), Line("b"), Line("c")])
    assert sorted(calls.made) == ["a", "b", "c", "c"]


async def test_a_call_that_is_cancelled_with_its_siblings_is_run_again() -> None:
    store, slow = MemoryStore(), True

    async def maybe(text: str) -> str:
        if slow:
            await anyio.sleep_forever()
        return text

    async def fail() -> str:
        await checkpoint()
        raise KeyError

    async def do(ctx: GraphRunContext[None, Calls]) -> list[str]:
        return await ctx.once_all(
            [Once("a", maybe, ["a"]), Once("b", fail if slow else partial(maybe, "b"), identity=1)]
        )

    with pytest.raises(KeyError):
        await graph.run(Work(), deps=Calls(do), store=store, run_id="r")
    assert await store.calls("r") == []
    slow = False
    assert (await graph.run(resume="r", deps=Calls(do), store=store)).output == "['a', 'b']"


async def test_a_row_of_another_call_is_not_used(store: Store) -> None:
    argument = iter("ab")

    async def do(ctx: GraphRunContext[None, Calls]) -> None:
        await ctx.once("k", ctx.deps.line, next(argument))

    assert (await crash_then_resume(store, do)).made == ["a", "b"]


async def test_a_value_that_cannot_be_stored_is_not_run_again() -> None:
    store, made = MemoryStore(), list[str]()

    def odd() -> object:
        made.append("odd")
        return object()

    async def do(ctx: GraphRunContext[None, Calls]) -> None:
        assert await ctx.once("k", odd) is not None
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await graph.run(Work(), deps=Calls(do), store=store, run_id="r")
    with pytest.raises(GraphRuntimeError, match="call 'k' of step 0 was run, but what it returned could not be stored"):
        await graph.run(resume="r", deps=Calls(do), store=store)
    assert made == ["odd"]


async def test_a_call_that_only_began_is_run() -> None:
    began = JournalRecord(seq=0, key="k", kind=JournalKind.STARTED, digest=Once("k", str, ["x"]).digest())
    journal = Journal()
    journal.begin(0, [began])
    assert await journal.once(Once("k", str, ["x"])) == "x"


async def test_rows_of_other_steps_and_branches_do_not_count() -> None:
    done = JournalRecord(seq=0, key="k", kind=JournalKind.DONE, digest=Once("k", str, ["x"]).digest(), value=b'"y"')
    journal = Journal()
    for seq, branch in ((1, ""), (0, "7:2")):
        journal.begin(seq, [done], branch)
        assert await journal.once(Once("k", str, ["x"])) == "x"
    journal.begin(0, [done])
    assert await journal.once(Once("k", str, ["x"])) == "y"


class Made:
    """A callable object, and what comes back of it."""

    def __call__(self) -> Line:
        return Line("called")


def make_line(text: str) -> Line:
    return Line(text)


def awaitable() -> Awaitable[Line]:
    return coroutine()


def coroutine() -> Coroutine[Any, Any, Line]:
    async def make() -> Line:
        return Line("awaited")

    return make()


def unresolvable() -> object:
    return {"text": "plain"}


unresolvable.__annotations__["return"] = "Nowhere"  # what only a type checker could resolve


@pytest.mark.parametrize(
    ("call", "value"),
    [
        (Once("k", Made()), Line("called")),
        (Once("k", partial(Line, "x"), adapter=TypeAdapter(Line)), Line("x")),
        (Once("k", partial(partial(make_line, "x"))), Line("x")),
        (Once[Line]("k", awaitable), Line("awaited")),
        (Once[Line]("k", coroutine), Line("awaited")),
        (Once("k", unresolvable), {"text": "plain"}),
        (Once("k", lambda: [1, "a"]), [1, "a"]),
    ],
)
async def test_a_value_comes_back_with_the_type_of_the_function(call: Once[Any], value: object) -> None:
    written: list[JournalRecord] = []

    async def write(record: JournalRecord) -> None:
        written.append(record)

    assert await Journal(Writer(write)).once(call) == value
    later = Journal()
    later.begin(0, written)
    assert await later.once(call) == value
    assert [row.kind for row in written] == [JournalKind.DONE]


def test_a_digest_tells_calls_apart() -> None:
    calls: list[Once[Any]] = [
        Once("k", int),
        Once("k", int, [1]),
        Once("k", str, [1]),
        Once("k", int, [object()]),
        Once("k", Made()),
        Once("k", int, identity="other"),
    ]
    assert len({call.digest() for call in calls}) == len(calls)
    assert Once("k", int, [object()]).digest() == Once("j", int, [object()]).digest()


async def test_what_the_store_says_to_every_call_of_a_batch_is_one_error() -> None:
    began = [anyio.Event() for _ in range(3)]

    async def refuse(record: JournalRecord) -> None:
        began[int(record.key)].set()
        await began[1 - int(record.key)].wait()
        raise StoreError("full")

    async def call(number: int) -> int:
        if number == 2:
            await anyio.sleep_forever()
        return number

    with pytest.raises(StoreError, match="full"):
        await Journal(Writer(refuse)).once_all([Once[int](f"{number}", call, [number]) for number in range(3)])


async def test_several_failures_of_a_batch_leave_as_the_first() -> None:
    both = [anyio.Event(), anyio.Event()]

    async def fail(number: int) -> int:
        both[number].set()
        with anyio.CancelScope(shield=True):
            await both[1 - number].wait()
        raise KeyError(number)

    with pytest.raises(KeyError) as caught:
        await Journal().once_all([Once[int](f"{number}", fail, [number]) for number in range(2)])
    others: Any = caught.value.__cause__
    assert type(others) is ExceptionGroup
    assert sorted(map(str, others.exceptions)) == ["0", "1"]
