"""`Graph.edit`: the state of a stored run is changed by a step of its own, and what comes next stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import pytest

from agentgraph.exceptions import (
    DecodeError,
    RunBusy,
    RunFenced,
    RunNotResumable,
    RunWaiting,
    StoreError,
    UserError,
)
from agentgraph.graph import (
    Appended,
    BaseNode,
    Commit,
    End,
    Fork,
    Graph,
    GraphRunContext,
    Join,
    RunRecord,
    Status,
    Store,
    fork,
    open_questions,
)
from agentgraph.graph.lifecycle import Event
from agentgraph.graph.store import Settlement
from agentgraph.stores import MemoryStore
from tests.graph.mortal import Killed, Mortal

pytestmark = pytest.mark.anyio


@dataclass
class Order:
    euros: int
    notes: Annotated[list[str], Appended] = field(default_factory=list[str])


@dataclass
class Paid:
    """Deps: the world."""

    transfers: list[int] = field(default_factory=list[int])
    broken: bool = False

    def transfer(self, euros: int) -> int:
        self.transfers.append(euros)
        return len(self.transfers)


Ctx = GraphRunContext[Order, Paid]


@dataclass
class Check(BaseNode[Order, Paid, str]):
    async def run(self, ctx: Ctx) -> Pay | Approve | Split:
        ctx.state.notes.append("checked")
        return Approve(ctx.state.euros) if ctx.state.euros > 100 else Split() if ctx.state.euros < 0 else Pay()


@dataclass
class Approve(BaseNode[Order, Paid, str]):
    euros: int

    async def run(self, ctx: Ctx) -> Pay:
        by = await ctx.wait_for("who", question="who approves?", type=str)
        ctx.state.notes.append(f"approved by {by}")
        return Pay()


@dataclass
class Pay(BaseNode[Order, Paid, str]):
    async def run(self, ctx: Ctx) -> End[str]:
        number = await ctx.once("transfer", ctx.deps.transfer, 5)
        if ctx.deps.broken:
            message = "no receipt"
            raise ConnectionError(message)
        return End(f"transfer {number} of {ctx.state.euros}")


@dataclass
class Split(BaseNode[Order, Paid, str]):
    async def run(self, ctx: Ctx) -> Fork[Half, Both]:
        return Fork([Half(), Half()], join=Both)


@dataclass
class Half(BaseNode[Order, Paid]):
    async def run(self, ctx: Ctx) -> Join[int]:
        return Join(await ctx.wait_for("half", type=int))


@dataclass
class Both(BaseNode[Order, Paid, str]):
    halves: list[int]

    async def run(self, ctx: Ctx) -> End[str]:
        return End(str(self.halves))


orders = Graph(nodes=(Check, Approve, Pay, Split, Half, Both), name="orders")


async def begun(store: Store, euros: int = 50) -> None:
    async with orders.iter(Check(), state=Order(euros), deps=Paid(), store=store, run_id="r") as run:
        await run.next()


async def waiting(store: Store, euros: int = 500) -> None:
    with pytest.raises(RunWaiting):
        await orders.run(Check(), state=Order(euros), deps=Paid(), store=store, run_id="r")


def cheaper(order: Order) -> None:
    order.euros = 7
    order.notes.append("made cheaper")


def broken(order: Order) -> None:
    raise ZeroDivisionError("division by zero")


def unlike(order: Order) -> Any:
    """What no type checker would let through."""
    return Paid()


def misspelt(order: Any) -> None:
    order.euros = "x"


async def asked(store: Store) -> list[str]:
    return [question.key for question in open_questions(await store.calls("r"))]


class TestAnEdit:
    async def test_is_a_step_and_the_pending_node_stays(self, store: Store, elsewhere: Store) -> None:
        await begun(store)
        assert await orders.edit("r", cheaper, store=elsewhere) == Order(7, ["checked", "made cheaper"])
        record = await store.load("r")
        assert (record.status, record.seq, record.pending, record.owner) == (Status.PENDING, 2, "Pay", None)
        steps = [(step.node, step.outcome, step.state) for step in await store.steps("r", after=0)]
        assert steps == [("(edit)", "Pay", b'{"euros":7}')]
        result = await orders.run(resume="r", store=store, deps=Paid())
        assert (result.output, result.state.notes) == ("transfer 1 of 7", ["checked", "made cheaper"])

    async def test_can_return_another_state(self, store: Store) -> None:
        await begun(store)
        assert await orders.edit("r", lambda order: replace(order, euros=8, notes=["new"]), store=store) == Order(
            8, ["new"]
        )
        assert (await orders.run(resume="r", store=store, deps=Paid())).state == Order(8, ["new"])

    async def test_can_be_forked_away(self, store: Store) -> None:
        await begun(store)
        await orders.edit("r", cheaper, store=store)
        await fork(store, await store.load("r"), "other", step=1)
        assert (await orders.run(resume="other", store=store, deps=Paid())).output == "transfer 1 of 50"

    async def test_keeps_what_has_happened_inside_the_step(self, store: Store) -> None:
        paid = Paid(broken=True)
        with pytest.raises(ConnectionError):
            await orders.run(Check(), state=Order(50), deps=paid, store=store, run_id="r")
        await orders.edit("r", cheaper, store=store)
        await orders.edit("r", cheaper, store=store)
        paid.broken = False
        assert (await orders.run(resume="r", store=store, deps=paid)).output == "transfer 1 of 7"
        assert paid.transfers == [5]

    async def test_of_a_run_that_waits_keeps_its_questions_and_answers(self, store: Store) -> None:
        await waiting(store)
        await orders.edit("r", cheaper, store=store)
        assert (await store.load("r")).status is Status.WAITING
        assert await asked(store) == ["/2/who"]
        await store.answer("r", "/2/who", "Ada")
        await orders.edit("r", cheaper, store=store)
        assert (await store.load("r")).status is Status.PENDING
        result = await orders.run(resume="r", store=store, deps=Paid())
        assert (result.output, result.state.notes[-1]) == ("transfer 1 of 7", "approved by Ada")

    async def test_of_a_run_that_sleeps_leaves_it_asleep_until_its_time(self, store: Store) -> None:
        @dataclass
        class Nap(BaseNode[Order, None, int]):
            async def run(self, ctx: GraphRunContext[Order]) -> End[int]:
                await ctx.sleep(10**6, key="nap")
                raise NotImplementedError

        graph = Graph(nodes=[Nap], name="napping")
        with pytest.raises(RunWaiting):
            await graph.run(Nap(), state=Order(50), store=store, run_id="r")
        before = await store.load("r")
        await graph.edit("r", cheaper, store=store)
        after = await store.load("r")
        assert (after.status, after.wake_at, after.seq) == (Status.WAITING, before.wake_at, 1)
        with pytest.raises(RunWaiting):
            await graph.step("r", store=store)
        assert (await store.load("r")).wake_at == before.wake_at

    async def test_wakes_a_run_that_was_cancelled_or_has_failed(self, store: Store) -> None:
        await begun(store)
        await store.cancel("r")
        await orders.edit("r", cheaper, store=store)
        assert (await store.load("r")).status is Status.PENDING


class TestARefusedEdit:
    @pytest.mark.parametrize(
        ("change", "error", "why"),
        [
            (unlike, UserError, "use a state of type Order, and `state` is Paid"),
            (misspelt, StoreError, r"Order\.euros cannot be stored"),
            (broken, ZeroDivisionError, "by zero"),
        ],
    )
    async def test_changes_nothing(
        self, store: Store, change: Callable[[Order], Order | None], error: type[Exception], why: str
    ) -> None:
        await begun(store)
        before = await store.load("r")
        with pytest.raises(error, match=why):
            await orders.edit("r", change, store=store)
        after = await store.load("r")
        assert (after.status, after.seq, after.state) == (before.status, before.seq, before.state)
        assert await orders.edit("r", cheaper, store=store)

    async def test_leaves_a_run_that_waits_or_has_failed_as_it_was(self, store: Store) -> None:
        await waiting(store)
        with pytest.raises(ZeroDivisionError):
            await orders.edit("r", broken, store=store)
        assert ((await store.load("r")).status, await asked(store)) == (Status.WAITING, ["/1/who"])
        await store.answer("r", "who", "Ada")
        with pytest.raises(ConnectionError):
            await orders.run(resume="r", store=store, deps=Paid(broken=True))
        with pytest.raises(ZeroDivisionError):
            await orders.edit("r", broken, store=store)
        record = await store.load("r")
        assert (record.status, record.error) == (Status.FAILED, "ConnectionError: no receipt")

    async def test_of_a_run_that_is_executed(self, store: Store) -> None:
        async with orders.iter(Check(), state=Order(1), deps=Paid(), store=store, run_id="r"):
            with pytest.raises(RunBusy):
                await orders.edit("r", cheaper, store=store)

    async def test_of_a_run_that_has_ended(self, store: Store) -> None:
        await orders.run(Check(), state=Order(1), deps=Paid(), store=store, run_id="r")
        with pytest.raises(RunNotResumable, match="it has ended"):
            await orders.edit("r", cheaper, store=store)

    async def test_of_a_run_inside_a_fork(self, store: Store) -> None:
        await waiting(store, -1)
        with pytest.raises(RunNotResumable, match="it stands inside a fork"):
            await orders.edit("r", cheaper, store=store)
        assert (await store.load("r")).status is Status.WAITING

    async def test_of_a_run_whose_step_has_started_another_one(self, store: Store) -> None:
        @dataclass
        class Order2(BaseNode[Order, None, str]):
            async def run(self, ctx: GraphRunContext[Order]) -> End[str]:
                paid = Paid()
                return End((await ctx.run(orders, Check(), state=Order(500), deps=paid, key="sub")).output)

        ordering = Graph(nodes=[Order2], name="ordering")
        with pytest.raises(RunWaiting):
            await ordering.run(Order2(), state=Order(1), store=store, run_id="r")
        with pytest.raises(RunNotResumable, match="step 0, which has not ended, has started r/:0/sub; go on until"):
            await ordering.edit("r", cheaper, store=store)
        assert (await store.load("r")).status is Status.WAITING
        await orders.edit("r/:0/sub", cheaper, store=store)  # which can be edited itself

    async def test_of_a_state_that_the_code_cannot_read(self, store: Store) -> None:
        @dataclass
        class Euros:
            euros: list[int]

        @dataclass
        class Other(BaseNode[Euros, None, int]):
            async def run(self, ctx: GraphRunContext[Euros]) -> End[int]:
                return End(1)

            @classmethod
            def get_node_id(cls) -> str:
                return "Pay"

        await begun(store)
        with pytest.raises(DecodeError, match=r"Euros\.euros"):
            await Graph(nodes=[Other], name="orders").edit("r", lambda _: None, store=store)
        assert (await store.load("r")).status is Status.PENDING


class Meanwhile(MemoryStore):
    """Answers just before a commit."""

    answers = 0

    async def commit(self, commit: Commit) -> Status:
        if self.answers:
            self.answers -= 1
            await self.answer("r", "who", "Ada")
        return await super().commit(commit)


async def test_an_answer_that_comes_meanwhile_is_kept() -> None:
    store = Meanwhile()
    await waiting(store)
    store.answers = 1
    states: list[int] = []

    def change(order: Order) -> None:
        states.append(order.euros)
        cheaper(order)

    await orders.edit("r", change, store=store)
    assert states == [500, 500]
    result = await orders.run(resume="r", store=store, deps=Paid())
    assert result.state.notes == ["checked", "made cheaper", "approved by Ada"]


async def test_a_cancel_that_comes_meanwhile_is_heeded() -> None:
    class Cancelling(MemoryStore):
        async def commit(self, commit: Commit) -> Status:
            if commit.step.node == "(edit)":
                await self.cancel("r")
            return await super().commit(commit)

    store = Cancelling()
    await begun(store)
    await orders.edit("r", cheaper, store=store)
    assert ((await store.load("r")).status, (await store.load("r")).seq) == (Status.CANCELLED, 2)


async def test_a_run_that_moves_on_before_it_is_claimed_is_looked_at_again() -> None:
    class Moving(MemoryStore):
        moves = False

        async def claim(self, run_id: str, options: bytes | None = None) -> RunRecord:
            if self.moves:
                self.moves = False
                await orders.run(resume="r", store=self, deps=Paid())
            return await super().claim(run_id, options)

    store = Moving()
    await begun(store)
    store.moves = True
    with pytest.raises(RunNotResumable, match="it has ended"):
        await orders.edit("r", cheaper, store=store)
    assert (await store.load("r")).status is Status.SUCCEEDED


async def test_an_editor_that_was_overtaken_changes_nothing() -> None:
    class Late(MemoryStore):
        async def commit(self, commit: Commit) -> Status:
            if commit.step.node == "(edit)":
                await self.settle(Settlement(run_id="r", epoch=commit.epoch, event=Event.RELEASE))
                await self.claim("r")
            return await super().commit(commit)

    store = Late()
    await begun(store)
    with pytest.raises(RunFenced):
        await orders.edit("r", cheaper, store=store)
    record = await store.load("r")
    assert (record.status, record.seq) == (Status.RUNNING, 1)


@pytest.mark.parametrize("after", [False, True])
async def test_an_editor_that_is_killed_has_changed_all_or_nothing(*, after: bool) -> None:
    class Dying(Mortal):
        async def commit(self, commit: Commit) -> Status:
            if commit.step.node == "(edit)" and not after:
                self.die()
            status = await super().commit(commit)
            if commit.step.node == "(edit)":
                self.die()
            return status

    store = Dying()
    await waiting(store)
    with pytest.raises(Killed):
        await orders.edit("r", cheaper, store=store)
    await store.bury()
    (key,) = await asked(store)
    assert key == ("/2/who" if after else "/1/who")
    await store.answer("r", key, "Ada")
    result = await orders.run(resume="r", store=store, deps=Paid())
    assert result.output == f"transfer 1 of {7 if after else 500}"
