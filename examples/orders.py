"""A shop's orders: weeks of stock, approval, invoice, reminders and shipment, each order a run that mostly sleeps.

    python examples/orders.py [FOLDER] [--ask]

It makes the shop's database, and plays its days as fast as it can: the runs go by a calendar that lies in the database
too. Without that clock it takes its weeks. Orders over 1,000 euros wait until the boss has agreed; with `--ask` that is
you. Kill it wherever you like and run it again: no order is forgotten, no letter is written twice.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import aclosing, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import gettempdir
from typing import Annotated, Any

import anyio
from anyio.lowlevel import checkpoint

from agentgraph import RunExists, RunWaiting, open_store
from agentgraph.graph import (
    BaseNode,
    Edge,
    End,
    Graph,
    GraphRunContext,
    Observer,
    RunEvent,
    RunFilter,
    RunRecord,
    Scheduler,
    Status,
    StepEnded,
    Store,
    open_questions,
    run_picture,
)

DAY = 86400.0
REMIND_AFTER, GIVE_UP_AFTER = 7, 14  # days
LARGE = 100_000  # cents
FIRST_DAY = datetime(2030, 1, 7, 8, tzinfo=UTC)

# ------------------------------------------------------------------------------------------------------------ the shop

TABLES = """
    CREATE TABLE IF NOT EXISTS calendar (day INTEGER);
    CREATE TABLE IF NOT EXISTS stock (item TEXT PRIMARY KEY, pieces INTEGER);
    CREATE TABLE IF NOT EXISTS orders (number INTEGER PRIMARY KEY, customer TEXT, item TEXT REFERENCES stock,
        pieces INTEGER, cents INTEGER, placed_on INTEGER, pays_on INTEGER);
    CREATE TABLE IF NOT EXISTS reservations (number INTEGER PRIMARY KEY REFERENCES orders, item TEXT, pieces INTEGER);
    CREATE TABLE IF NOT EXISTS letters (number INTEGER REFERENCES orders, subject TEXT, day INTEGER,
        PRIMARY KEY (number, subject));
    CREATE TABLE IF NOT EXISTS shipments (number INTEGER PRIMARY KEY REFERENCES orders, day INTEGER);

    INSERT INTO calendar SELECT 0 WHERE NOT EXISTS (SELECT * FROM calendar);
    INSERT OR IGNORE INTO stock VALUES ('teapot', 60), ('cup', 400);
    INSERT OR IGNORE INTO orders VALUES
        (1, 'Ada', 'teapot', 2, 9000, 0, 2),
        (2, 'Ben', 'teapot', 40, 180000, 0, 10),
        (3, 'Carla', 'cup', 300, 360000, 1, 2),
        (4, 'Dora', 'teapot', 1, 4500, 2, NULL),
        (5, 'Emil', 'teapot', 30, 135000, 3, 4);
"""
"""`pays_on` is the day on which the money will be there; the shop does not know it before."""


@dataclass
class Order:
    """What the nodes of a run share."""

    number: int
    customer: str
    item: str
    pieces: int
    cents: int
    unpaid: int = 0
    """Days since the invoice."""


@dataclass(frozen=True)
class Shop:
    """The database. Whatever changes it may be done again after a crash: the keys of the tables see to it."""

    path: Path

    def open(self) -> None:
        """Make what is not there yet."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self.path)) as connection:
            connection.executescript(TABLES)

    def today(self) -> int:
        """Days since the first one."""
        day: int = self._rows("SELECT day FROM calendar")[0][0]
        return day

    def close_the_day(self, day: int) -> None:
        """Turn the calendar to the day after."""
        self._rows("UPDATE calendar SET day = ?", day + 1)

    def placed(self) -> list[Order]:
        """All orders until today."""
        query = "SELECT number, customer, item, pieces, cents FROM orders, calendar WHERE placed_on <= day"
        return [Order(*row) for row in self._rows(query)]

    def expects_orders(self) -> bool:
        """Whether further ones will be placed."""
        return bool(self._rows("SELECT * FROM orders, calendar WHERE placed_on >= day"))

    def reserve(self, order: Order) -> bool:
        """Take an order's pieces out of the stock; says whether there were enough."""
        self._rows(
            """
            INSERT OR IGNORE INTO reservations SELECT ?1, ?2, ?3 FROM stock WHERE item = ?2 AND pieces >= ?3 +
                (SELECT coalesce(sum(pieces), 0) FROM reservations WHERE item = ?2)
            """,
            order.number,
            order.item,
            order.pieces,
        )
        return bool(self._rows("SELECT * FROM reservations WHERE number = ?", order.number))

    def release(self, number: int) -> None:
        """Put an order's pieces back."""
        self._rows("DELETE FROM reservations WHERE number = ?", number)

    def is_paid(self, number: int) -> bool:
        """Whether the money is there."""
        return bool(self._rows("SELECT * FROM orders, calendar WHERE number = ? AND pays_on <= day", number))

    def write(self, number: int, subject: str) -> None:
        """Send a letter to a customer."""
        self._rows("INSERT OR IGNORE INTO letters SELECT ?, ?, day FROM calendar", number, subject)

    def ship(self, number: int) -> None:
        """Send the goods."""
        self._rows("INSERT OR IGNORE INTO shipments SELECT ?, day FROM calendar", number)

    def letters(self) -> list[tuple[int, int, str]]:
        """Day, order and subject of every letter."""
        return [
            (day, number, subject) for day, number, subject in self._rows("SELECT day, number, subject FROM letters")
        ]

    def _rows(self, query: str, *values: object) -> Sequence[tuple[Any, ...]]:  # Any: sqlite3 knows no types of columns
        with self._transaction() as connection:
            return connection.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, timeout=10)) as connection, connection:
            yield connection


@dataclass(frozen=True)
class Calendar:
    """A clock for the runs: it shows eight in the morning of the shop's day."""

    shop: Shop

    def now(self) -> datetime:
        return FIRST_DAY + timedelta(days=self.shop.today())

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await checkpoint()  # shorter than a lease: too short for a calendar


# ----------------------------------------------------------------------------------------------------------- the graph


@dataclass(frozen=True)
class Decision:
    """What the boss says about a large order."""

    agreed: bool
    by: str


@dataclass
class Reserve(BaseNode[Order, Shop, str]):
    """Takes the goods out of the stock."""

    async def run(
        self, ctx: GraphRunContext[Order, Shop]
    ) -> Annotated[Approve, Edge(label="large")] | Invoice | Annotated[Cancel, Edge(label="not in stock")]:
        if not ctx.deps.reserve(ctx.state):
            return Cancel("not in stock")
        return Approve() if ctx.state.cents > LARGE else Invoice()


@dataclass
class Approve(BaseNode[Order, Shop, str]):
    """Waits until the boss has answered, in whatever process, however long that takes."""

    async def run(
        self, ctx: GraphRunContext[Order, Shop]
    ) -> Annotated[Invoice, Edge(label="agreed")] | Annotated[Cancel, Edge(label="refused")]:
        order = ctx.state
        question = f"{order.customer} orders {order.pieces} of {order.item} for {order.cents / 100:,.2f} euros. Agreed?"
        decision: Decision = await ctx.wait_for("approval", question=question, type=Decision)
        return Invoice() if decision.agreed else Cancel(f"refused by {decision.by}")


@dataclass
class Invoice(BaseNode[Order, Shop, str]):
    """Asks for the money."""

    async def run(self, ctx: GraphRunContext[Order, Shop]) -> AwaitPayment:
        await ctx.once("letter", ctx.deps.write, ctx.state.number, "invoice")
        return AwaitPayment()


@dataclass
class AwaitPayment(BaseNode[Order, Shop, str]):
    """Looks at the account every morning."""

    async def run(
        self, ctx: GraphRunContext[Order, Shop]
    ) -> AwaitPayment | Remind | Annotated[Ship, Edge(label="paid")] | Annotated[Cancel, Edge(label="never paid")]:
        await ctx.sleep(DAY)
        if ctx.deps.is_paid(ctx.state.number):
            return Ship()
        ctx.state.unpaid += 1
        if ctx.state.unpaid == GIVE_UP_AFTER:
            return Cancel("never paid")
        return Remind() if ctx.state.unpaid == REMIND_AFTER else AwaitPayment()


@dataclass
class Remind(BaseNode[Order, Shop, str]):
    """Asks for the money once more."""

    async def run(self, ctx: GraphRunContext[Order, Shop]) -> AwaitPayment:
        await ctx.once("letter", ctx.deps.write, ctx.state.number, "reminder")
        return AwaitPayment()


@dataclass
class Ship(BaseNode[Order, Shop, str]):
    """Sends the goods; two weeks later, asks how they are."""

    async def run(self, ctx: GraphRunContext[Order, Shop]) -> End[str]:
        await ctx.once("parcel", ctx.deps.ship, ctx.state.number)
        await ctx.sleep(14 * DAY)
        await ctx.once("letter", ctx.deps.write, ctx.state.number, "how do you like it?")
        return End("shipped")


@dataclass
class Cancel(BaseNode[Order, Shop, str]):
    """Puts the goods back, and says why."""

    why: str

    async def run(self, ctx: GraphRunContext[Order, Shop]) -> End[str]:
        ctx.deps.release(ctx.state.number)
        await ctx.once("letter", ctx.deps.write, ctx.state.number, f"cancelled: {self.why}")
        return End(f"cancelled: {self.why}")


ordering = Graph(nodes=(Reserve, Approve, Invoice, AwaitPayment, Remind, Ship, Cancel), name="orders")

# -------------------------------------------------------------------------------------------------- the shop's workers

Boss = Callable[[str], Decision]
"""Reads a question and decides."""


def strict(question: str) -> Decision:
    """A boss who agrees to teapots."""
    return Decision(agreed="teapot" in question, by="the boss")


def ask(question: str) -> Decision:
    """A boss who sits at the terminal."""
    return Decision(agreed=input(f"  {question} [y/n] ").startswith("y"), by="you")


CUT_OFF = (Status.PENDING, Status.RUNNING, Status.FAILED, Status.CANCELLED)
"""How a run stands whose process was killed, met an error or was interrupted, as long as nobody executes it."""


async def listed(store: Store, *which: Status) -> list[RunRecord]:
    """The runs that stand like this."""
    return [run for status in which for run in await store.list(RunFilter(status=status))]


async def ready(store: Store, now: datetime) -> list[str]:
    """The runs that can go on: their time has come, they were answered, or something has cut them off."""
    due = await store.list(RunFilter(due_before=now.timestamp()))
    waiting = await listed(store, Status.WAITING)
    answered = [run for run in waiting if run.wake_at is None and not open_questions(await store.calls(run.run_id))]
    cut_off = await listed(store, *CUT_OFF)
    return sorted(run.run_id for run in (*due, *answered, *cut_off))


async def answer(store: Store, boss: Boss) -> None:
    """Put all open questions to the boss."""
    for run in await listed(store, Status.WAITING):
        for question in open_questions(await store.calls(run.run_id)):
            await store.answer(run.run_id, question.key, boss(str(question.about)))


async def work(shop: Shop, scheduler: Scheduler, store: Store) -> None:
    """Go on with what can go on, and begin with what is new; then all of them sleep, wait or have ended."""
    for run_id in await ready(store, scheduler.clock.now()):
        with suppress(RunWaiting):
            await ordering.run(resume=run_id, deps=shop, scheduler=scheduler)
    for order in shop.placed():
        with suppress(RunWaiting, RunExists):
            await ordering.run(Reserve(), state=order, deps=shop, scheduler=scheduler, run_id=f"order-{order.number}")


async def go_on(folder: Path, observers: Sequence[Observer] = (), boss: Boss = strict) -> Shop:
    """Play the shop's days, from the one on which it was left to the one on which nothing is left to be done."""
    shop = Shop(folder / "shop.db")
    shop.open()
    async with aclosing(open_store(folder / "runs.db")) as store:
        scheduler = Scheduler(store, Calendar(shop), observers)
        while shop.expects_orders() or await listed(store, Status.WAITING, *CUT_OFF):
            day = shop.today()
            await answer(store, boss)
            await work(shop, scheduler, store)
            shop.close_the_day(day)
        ordering.picture(start_node=Reserve, title="orders").save(folder / "graph.svg")
        for run in await store.list():
            (await run_picture(store, run.run_id)).save(folder / f"{run.run_id}.svg")
    return shop


def main() -> None:
    """Run it in the folder named on the command line, or in one beside other temporary files."""
    names = [word for word in sys.argv[1:] if word != "--ask"]
    folder = Path(names[0]) if names else Path(gettempdir()) / "agentgraph-orders"
    print(f"in {folder}; delete it to begin anew")

    def tell(event: RunEvent) -> None:
        match event:
            case StepEnded(run_id=run_id, node=node, outcome=outcome) if node != outcome:
                print(f"  day {Shop(folder / 'shop.db').today():2} {run_id}: {node} -> {outcome}")
            case _:
                pass

    shop = anyio.run(go_on, folder, [tell], ask if "--ask" in sys.argv else strict)
    print("letters:")
    for day, number, subject in sorted(shop.letters()):
        print(f"  day {day:2} order {number}: {subject}")
    print(f"drawn: {folder / 'graph.svg'}, and the path of each order, such as {folder / 'order-2.svg'}")


if __name__ == "__main__":
    main()
