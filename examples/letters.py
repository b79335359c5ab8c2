"""A post room: letters of many customers, each a submitted run; who answers them is said in one line.

    python examples/letters.py [FOLDER]             all of it in this process, kept in a file of the folder
    python examples/letters.py FOLDER URL           the same, kept in a PostgreSQL database
    python examples/letters.py FOLDER URL --submit  hands the letters in and leaves; workers answer them, anywhere:

    LETTERS=FOLDER agentgraph worker examples.letters:desk --store URL

A clerk, who is an agent, drafts each answer; a function stands in for the model. No customer has more than two letters
answered at once, and the urgent ones of each come first. Kill it wherever you like and run it again: every letter is
answered once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir

import anyio

from agentgraph import Agent, RunContext
from agentgraph.distributed import Dispatcher, Limits, Served, open_dispatcher
from agentgraph.graph import BaseNode, End, Graph, GraphRunContext, Observer, RunRecord
from agentgraph.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from agentgraph.models.function import AgentInfo, FunctionModel

URGENT, USUAL = 1, 2


@dataclass(frozen=True)
class Letter:
    """What a customer has written."""

    customer: str
    order: int
    text: str

    @property
    def priority(self) -> int:
        """Its place in the queue."""
        return URGENT if "!" in self.text else USUAL


LETTERS = [
    Letter("Ada", 17, "Where is my teapot?"),
    Letter("Ada", 18, "And where are the cups?"),
    Letter("Ada", 19, "I would like a second spoon."),
    Letter("Ben", 23, "The parcel is wet, I want my money back!"),
    Letter("Ben", 24, "Thank you for the saucers."),
    Letter("Carla", 31, "Is my order on its way?"),
]

ORDERS = {
    17: "left on Monday",
    18: "was lost",
    19: "is packed",
    23: "came late",
    24: "arrived",
    31: "leaves",
}


@dataclass(frozen=True)
class Office:
    """Where orders are looked up, and answers go out: a folder."""

    folder: Path

    def look_up(self, order: int) -> str:
        """How an order stands."""
        return f"order {order} {ORDERS[order]}"

    def send(self, number: int, answer: str) -> None:
        """Send an answer: a file of the letter's number, so that one that is sent again is the same."""
        (self.folder / f"answer-{number}.txt").write_text(answer, encoding="utf-8")

    def sent(self) -> list[str]:
        """All answers."""
        return [path.read_text(encoding="utf-8") for path in sorted(self.folder.glob("answer-*.txt"))]


# ----------------------------------------------------------------------------------------------------------- the clerk


def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Look the order up, then write what was found: the part of a model."""
    del info
    match messages[-1].parts[-1]:
        case ToolReturnPart(content=found):
            return ModelResponse([TextPart(f"we looked it up: {found}")])
        case asked:
            number = str(getattr(asked, "content", "")).split()[1]
            return ModelResponse([ToolCallPart("order_status", {"order": int(number)})])


clerk = Agent(FunctionModel(answer), name="clerk", deps_type=Office)


@clerk.tool
def order_status(ctx: RunContext[Office], order: int) -> str:
    """Look up how an order stands."""
    return ctx.deps.look_up(order)


# ------------------------------------------------------------------------------------------------------- the post room


@dataclass
class Post:
    """What the nodes of a run share."""

    number: int
    letter: Letter


@dataclass
class Draft(BaseNode[Post, Office, str]):
    """Has the clerk write an answer."""

    async def run(self, ctx: GraphRunContext[Post, Office]) -> Send:
        letter = ctx.state.letter
        done = await ctx.run(clerk, f"Order {letter.order} of {letter.customer}: {letter.text}", deps=ctx.deps)
        return Send(f"Dear {letter.customer}, {done.data}")


@dataclass
class Send(BaseNode[Post, Office, str]):
    """Sends it."""

    answer: str

    async def run(self, ctx: GraphRunContext[Post, Office]) -> End[str]:
        await ctx.once("send", ctx.deps.send, ctx.state.number, self.answer)
        return End(self.answer)


letters = Graph(nodes=(Draft, Send), name="letters")


def office(record: RunRecord) -> Office:
    """What a run is given by the worker that executes it: nothing of it was stored."""
    del record
    return Office(Path(os.environ["LETTERS"]))


desk = Served(letters, deps=office)


def room(folder: Path) -> Office:
    """The folder, made if it is not there, and known to the runs that are executed in this process."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["LETTERS"] = str(folder)
    letters.picture(start_node=Draft, title="letters").save(folder / "graph.svg")
    return Office(folder)


async def hand_in(dispatcher: Dispatcher) -> list[str]:
    """Submit every letter; one that was submitted before is the same run."""
    return [
        await dispatcher.submit(
            letters,
            Draft(),
            state=Post(number, letter),
            run_id=f"letter-{number}",
            tenant=letter.customer,
            priority=letter.priority,
        )
        for number, letter in enumerate(LETTERS, 1)
    ]


async def answer_all(dispatcher: Dispatcher, ids: Sequence[str]) -> None:
    """Execute runs, as a worker does, until all letters are answered, here or elsewhere."""
    async with anyio.create_task_group() as group:
        group.start_soon(dispatcher.serve, [desk])
        for run_id in ids:
            await dispatcher.result(letters, run_id)
        dispatcher.stop()


async def go_on(
    folder: Path, observers: Sequence[Observer] = (), where: str | None = None, *, serve: bool = True
) -> Office:
    """Hand in the letters that were not yet, and answer those that were not yet, unless workers elsewhere do."""
    office = room(folder)
    async with open_dispatcher(where or folder / "runs.db", observers=observers) as dispatcher:
        await dispatcher.limit("letters", Limits(per_tenant=2))
        ids = await hand_in(dispatcher)
        if serve:
            await answer_all(dispatcher, ids)
    return office


def main() -> None:
    """Do what the command line says."""
    names = [word for word in sys.argv[1:] if word != "--submit"]
    folder = Path(names[0]) if names else Path(gettempdir()) / "agentgraph-letters"
    where, serve = names[1] if names[1:] else None, "--submit" not in sys.argv
    print(f"in {folder}; delete it to begin anew")

    async def run() -> Office:
        return await go_on(folder, (), where, serve=serve)

    for line in anyio.run(run).sent():
        print(f"  {line}")


if __name__ == "__main__":
    main()
