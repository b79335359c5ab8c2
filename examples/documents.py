"""A document pipeline: reads a folder of files side by side, and writes a catalogue of what each is about.

    python examples/documents.py [FOLDER]

It makes the folder and the files in it. One file can be read at the second attempt only, and one is broken for good.
Kill it wherever you like and run it again: what was read is not read again.
"""

from __future__ import annotations

import csv
import json
import math
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from tempfile import gettempdir
from typing import Annotated

import anyio
from anyio import to_thread

from agentgraph import RunExists, open_store
from agentgraph.graph import (
    Appended,
    BaseNode,
    BranchError,
    Edge,
    End,
    Fork,
    Graph,
    GraphRunContext,
    Join,
    Observer,
    RetryPolicy,
    RunEvent,
    Scheduler,
    StepEnded,
    StepStarted,
    run_picture,
)

RUN_ID = "catalogue"

# ------------------------------------------------------------------------------------------------------- the documents

FILES = {
    "welcome.txt": """\
Welcome to the bakery. The oven is lit at three in the morning and the first bread leaves it at five. Whoever opens
the shop puts the bread on the shelf, the rolls in the baskets and the coffee on. Bread that is left in the evening goes
to the shelter across the street, never into the bin. Keys hang behind the oven.""",
    "minutes.md": """\
# Minutes of the meeting in March

The mill raises the price of flour. We buy rye flour from the farm in the valley instead, and wheat flour from the mill
as long as the stock of the farm does not last. Ada asks the farm for an offer. The old oven is to be repaired once
more; a new oven is too expensive before autumn.""",
    "starter.md": """\
# Keeping the starter

Feed the sourdough starter every evening: one part starter, two parts rye flour, two parts water. A warm starter is sour
by morning, a cold starter takes a day. A starter that smells of paint is hungry, not spoiled. Sourdough that has risen
twice is tired; bake it or feed it.""",
    "sales.csv": """\
day,item,pieces,remark
Monday,rye bread,41,two customers asked for smaller loaves
Tuesday,rye bread,38,sold out at noon
Tuesday,plum cake,12,customers asked for plum cake without sugar
Wednesday,rolls,230,the school ordered rolls
Thursday,plum cake,19,sold out at noon""",
    "orders.json": """\
{"school": {"rolls": 230, "note": "the school wants the rolls delivered before eight, by bicycle"},
 "hotel": {"croissants": 60, "note": "the hotel pays its croissants monthly and asks for an invoice"},
 "choir": {"plum cake": 4, "note": "the choir fetches the cake after its concert"}}""",
    "notice.html": """\
<html><head><title>Closed</title><style>p { color: red }</style></head><body><h1>Closed in August</h1>
<p>The bakery is closed for two weeks in August. The baker is on holiday, the oven is swept and painted.</p>
<p>The market has a baker on Saturday: his bread is good, his croissants are better.</p></body></html>""",
    "survey.json": """\
{"question": "What do you miss?", "answers": ["a bench in front of the shop", "a bench in the sun", "seats for ch""",
}
"""What lies on the drive. The last one was cut off when it was written, and will never be whole."""

SLEEPY = {"sales.csv"}
COMMON = re.compile(
    r"an?|and|are|as|asks|at|be|before|by|do|does|for|from|has|his|in|is|its?|no|not|of|on|or|out|so|the|to|two"
)
"""Words that say nothing about what a text is about."""


@dataclass(frozen=True)
class Drive:
    """A folder on a drive of the network: it may be asleep, and then the first read of a file fails."""

    folder: Path

    def fill(self) -> None:
        """Put all files there, anew each time: whoever was killed over it may have left half a file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, text in FILES.items():
            (self.folder / name).write_text(text, encoding="utf-8")

    def names(self) -> list[str]:
        """The files, in alphabetical order."""
        return sorted(path.name for path in self.folder.iterdir() if not path.name.startswith("."))

    def read(self, name: str) -> str:
        """The text of a file.

        Raises:
            ConnectionError: the drive was asleep; it wakes up now.
        """
        awake = self.folder / f".{name}.awake"
        if name in SLEEPY and not awake.exists():
            awake.touch()
            raise ConnectionError(f"the drive was asleep when {name} was read")
        return (self.folder / name).read_text(encoding="utf-8")


class _Prose(HTMLParser):
    """Collects what a reader sees of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self._hidden = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden = tag in ("style", "script")

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False

    def handle_data(self, data: str) -> None:
        self.pieces += [] if self._hidden else [data]


def prose_of_html(text: str) -> str:
    """The words of an HTML page."""
    parser = _Prose()
    parser.feed(text)
    return " ".join(parser.pieces)


def prose_of_csv(text: str) -> str:
    """The cells of a table, without its heading."""
    return " ".join(cell for row in [*csv.reader(text.splitlines())][1:] for cell in row)


def prose_of_json(text: str) -> str:
    """Every key and value of a JSON document."""
    return re.sub(r"[^\w\s]", " ", json.dumps(json.loads(text)))


PROSE: dict[str, Callable[[str], str]] = {
    ".csv": prose_of_csv,
    ".html": prose_of_html,
    ".json": prose_of_json,
    ".md": str,
    ".txt": str,
}
"""What makes words of a file, by the end of its name."""

# ----------------------------------------------------------------------------------------------------------- the graph


@dataclass(frozen=True)
class Document:
    """A file that was read."""

    name: str
    words: dict[str, int]
    """How often each word stands in it."""

    @property
    def length(self) -> int:
        """In words."""
        return sum(self.words.values())


@dataclass
class Shelf:
    """What the run has found out: a step adds to the lists, and stores what it has added."""

    documents: Annotated[list[Document], Appended] = field(default_factory=list[Document])
    unread: Annotated[list[str], Appended] = field(default_factory=list[str])


@dataclass
class Collect(BaseNode[Shelf, Drive, Path]):
    """Opens one branch for each file; a file that fails does not stop the others."""

    async def run(
        self, ctx: GraphRunContext[Shelf, Drive]
    ) -> Annotated[Fork[Read, Sort], Edge(label="one for each file")]:
        names = await to_thread.run_sync(ctx.deps.names)
        return Fork([Read(name) for name in names], join=Sort, limit=4, on_error="collect")


@dataclass
class Read(BaseNode[Shelf, Drive]):
    """Reads a file; drives that are asleep are asked again, files that are broken are not."""

    name: str
    retry = RetryPolicy(attempts=4, on=OSError, delay=0.05)
    timeout = 20

    async def run(self, ctx: GraphRunContext[Shelf, Drive]) -> Count:
        text = await to_thread.run_sync(ctx.deps.read, self.name)
        try:
            return Count(self.name, PROSE[Path(self.name).suffix](text))
        except ValueError as error:
            raise ValueError(f"{self.name} is broken: {error}") from error


@dataclass
class Count(BaseNode[Shelf, Drive]):
    """Counts the words; its branch ends with the document."""

    name: str
    prose: str

    async def run(self, ctx: GraphRunContext[Shelf, Drive]) -> Join[Document]:
        words = re.findall(r"[a-z]+", self.prose.lower())
        return Join(Document(self.name, Counter(words)))


@dataclass
class Sort(BaseNode[Shelf, Drive]):
    """Runs once, when all branches have ended, with their values in the order of the files."""

    found: list[Document | BranchError]

    async def run(self, ctx: GraphRunContext[Shelf, Drive]) -> Publish:
        for each in self.found:
            if isinstance(each, BranchError):
                ctx.state.unread.append(each.message)
            else:
                ctx.state.documents.append(each)
        return Publish()


@dataclass
class Publish(BaseNode[Shelf, Drive, Path]):
    """Writes the catalogue. To write it twice does no harm, so it needs no `ctx.once`."""

    async def run(self, ctx: GraphRunContext[Shelf, Drive]) -> End[Path]:
        path = ctx.deps.folder.with_name("catalogue.md")
        await to_thread.run_sync(path.write_text, catalogue(ctx.state), "utf-8")
        return End(path)


pipeline = Graph(nodes=(Collect, Read, Count, Sort, Publish), name="documents")


def catalogue(shelf: Shelf) -> str:
    """What each document is about: the words that it has often and the others have rarely."""
    having = Counter(word for document in shelf.documents for word in document.words)

    def weight(word: str, count: int) -> float:
        return count * math.log((1 + len(shelf.documents)) / having[word])

    lines = ["| document | words | is about |", "|---|---|---|"]
    for document in shelf.documents:
        telling = {word: weight(word, count) for word, count in document.words.items() if not COMMON.fullmatch(word)}
        words = sorted(telling, key=lambda word: (-telling[word], word))[:4]
        lines.append(f"| {document.name} | {document.length} | {', '.join(words)} |")
    return "\n".join([*lines, "", *(f"Not read: {problem}" for problem in shelf.unread), ""])


# -------------------------------------------------------------------------------------------------------- the program


async def go_on(folder: Path, observers: Sequence[Observer] = ()) -> Shelf:
    """Begin the run that is kept in this folder, or go on with it, to its end."""
    drive = Drive(folder / "drive")
    drive.fill()
    async with aclosing(open_store(folder / "runs.db")) as store:
        scheduler = Scheduler(store, observers=observers)
        try:
            result = await pipeline.run(Collect(), state=Shelf(), deps=drive, scheduler=scheduler, run_id=RUN_ID)
        except RunExists:
            result = await pipeline.run(resume=RUN_ID, deps=drive, scheduler=scheduler)
        pipeline.picture(start_node=Collect, title="documents").save(folder / "graph.svg")
        (await run_picture(store, RUN_ID)).save(folder / "run.svg")
    return result.state


def tell(event: RunEvent) -> None:
    """Print what happens."""
    match event:
        case StepStarted(attempt=attempt, node=node, branch=branch) if attempt > 1:
            print(f"  {branch:4} {node}: attempt {attempt}")
        case StepEnded(node=node, outcome=outcome, branch=branch):
            print(f"  {branch:4} {node} -> {outcome}")
        case _:
            pass


def main() -> None:
    """Run it in the folder named on the command line, or in one beside other temporary files."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(gettempdir()) / "agentgraph-documents")
    print(f"in {folder}; delete it to begin anew")
    shelf = anyio.run(go_on, folder, [tell])
    print(catalogue(shelf))
    print(f"drawn: {folder / 'graph.svg'}, and the path that this run took, {folder / 'run.svg'}")


if __name__ == "__main__":
    main()
