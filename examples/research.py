"""A research graph: agents plan, look things up side by side, write and criticise, on a budget of tokens.

    python examples/research.py [FOLDER] [--question TEXT] [--budget TOKENS] [--model NAME]

It looks things up in the reference manual of the Python language, which every Python has on board, by a full-text index
that it makes. Functions stand in for the models; `--model openai:gpt-4o` asks a real one. A run that has used up its
budget fails, and goes on where it stood when it is run again with a larger one; so does one that was killed.
"""

from __future__ import annotations

import re
import sqlite3
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass, field
from pathlib import Path
from pydoc_data.topics import topics
from tempfile import gettempdir
from typing import Annotated

import anyio

from agentgraph import (
    Agent,
    ModelRetry,
    RunContext,
    RunExists,
    Usage,
    UsageLimitExceeded,
    UsageLimits,
    open_store,
)
from agentgraph.graph import (
    Appended,
    BaseNode,
    Edge,
    End,
    Fork,
    Graph,
    GraphRunContext,
    Join,
    Observer,
    RunEvent,
    Scheduler,
    StepEnded,
    run_picture,
)
from agentgraph.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart, UserPromptPart
from agentgraph.models.function import AgentInfo, FunctionModel

RUN_ID = "research"
QUESTION = "How do exceptions, context managers and yield expressions work together?"
DRAFTS = 3

# --------------------------------------------------------------------------------------------------------- the library


@dataclass(frozen=True)
class Library:
    """The reference manual, paragraph by paragraph, in a full-text index."""

    path: Path

    def open(self) -> None:
        """Make the index if there is none."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            if not connection.execute("SELECT * FROM sqlite_master").fetchone():
                connection.execute("CREATE VIRTUAL TABLE passages USING fts5(text, tokenize='porter')")
                paragraphs = (" ".join(each.split()) for topic in topics.values() for each in topic.split("\n\n"))
                prose = dict.fromkeys(each for each in paragraphs if re.fullmatch(r"[A-Z].{80,}\.", each))
                connection.executemany("INSERT INTO passages VALUES (?)", [(each,) for each in prose])

    def search(self, words: str) -> list[tuple[int, str]]:
        """Number and text of the three best passages that have any of the words."""
        terms = " OR ".join(f'"{word}"' for word in re.findall(r"\w+", words))
        query = "SELECT rowid, text FROM passages WHERE passages MATCH ? ORDER BY rank LIMIT 3"
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(query, [terms]).fetchall() if terms else []

    def passage(self, number: int) -> str | None:
        """The text of a passage, if there is one of this number."""
        with closing(sqlite3.connect(self.path)) as connection:
            found = connection.execute("SELECT text FROM passages WHERE rowid = ?", [number]).fetchone()
        return found[0] if found else None


# -------------------------------------------------------------------------------------------- what stands in for models


def prompt_in(messages: Sequence[ModelMessage]) -> str:
    """What the agent was asked."""
    return "".join(str(part.content) for each in messages for part in each.parts if isinstance(part, UserPromptPart))


def result(info: AgentInfo, **values: object) -> ModelResponse:
    """A reply that ends the agent's run."""
    return ModelResponse([ToolCallPart(info.result_tools[0].name, values)])


def plan_by_rule(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Asks about each subject by itself."""
    subjects = re.sub(r"^How do | work together|\?$", "", prompt_in(messages))
    return result(info, questions=[f"What about {each}?" for each in re.split(r", | and ", subjects)])


def research_by_rule(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Searches once, and takes the first sentences of what is found."""
    found = [str(part.content) for each in messages for part in each.parts if isinstance(part, ToolReturnPart)]
    if not found:
        return ModelResponse([ToolCallPart("search", {"words": prompt_in(messages).removeprefix("What about ")})])
    passages = re.findall(r"^\[(\d+)\] (.*?\.)(?= [A-Z]|$)", found[-1], flags=re.MULTILINE)
    answer = " ".join(sentence for _, sentence in passages) or "The manual does not say."
    return result(info, answer=answer, sources=[number for number, _ in passages])


def write_by_rule(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
    """Repeats the findings, and forgets to name the sources until it is told."""
    brief, *remark = prompt_in(messages).split("\nRemark: ")
    return ModelResponse([TextPart(brief if remark else re.sub(r" \[[\d, ]+\]", "", brief))])


def criticise_by_rule(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Wants to see sources."""
    good = re.search(r"\[\d+", prompt_in(messages)) is not None
    return result(info, good=good, remark="" if good else "Name the passages that say so, in square brackets.")


# ---------------------------------------------------------------------------------------------------------- the agents


@dataclass(frozen=True)
class Questions:
    """What has to be looked up, each so that it can be answered by itself."""

    questions: list[str]


@dataclass(frozen=True)
class Finding:
    """An answer in a few sentences, and the numbers of the passages that say so."""

    answer: str
    sources: list[int]


@dataclass(frozen=True)
class Verdict:
    """Whether a text is good, and if not, what is to be changed."""

    good: bool
    remark: str


planner = Agent(
    FunctionModel(plan_by_rule),
    name="planner",
    result_type=Questions,
    system_prompt="Break the question into two to four that can each be looked up in a reference manual of Python.",
)
researcher = Agent(
    FunctionModel(research_by_rule),
    name="researcher",
    deps_type=Library,
    result_type=Finding,
    system_prompt="Search the manual, and answer by what it says alone. Give the numbers of the passages you rely on.",
)
writer = Agent(
    FunctionModel(write_by_rule),
    name="writer",
    system_prompt="Write a short text from the findings you are given; add nothing to them.",
)
critic = Agent(
    FunctionModel(criticise_by_rule),
    name="critic",
    result_type=Verdict,
    system_prompt="Is the text clear, and does it name a passage, such as [12], for all that it says?",
)


@researcher.tool
def search(ctx: RunContext[Library], words: str) -> str:
    """Search the manual; passages that have many of the words come first."""
    return "\n".join(f"[{number}] {text}" for number, text in ctx.deps.search(words)) or "Nothing was found."


@researcher.result_validator
def sources_exist(ctx: RunContext[Library], finding: Finding) -> Finding:
    """Send made-up sources back."""
    unknown = [number for number in finding.sources if ctx.deps.passage(number) is None]
    if unknown:
        raise ModelRetry(f"there are no passages {unknown}; rely on what you have found")
    return finding


# ----------------------------------------------------------------------------------------------------------- the graph


@dataclass(frozen=True)
class Desk:
    """What the nodes need."""

    library: Library
    budget: int
    """Tokens that the whole run may use."""
    model: str | None = None
    """Asked instead of the functions."""

    def limits(self, used: Usage, share: int = 1) -> UsageLimits:
        """What an agent may use: what is left of the budget, or its share of that."""
        return UsageLimits(total_tokens_limit=max(0, self.budget - (used.total_tokens or 0)) // share)


@dataclass(frozen=True)
class Found:
    """What a branch hands to the join."""

    question: str
    finding: Finding
    usage: Usage


@dataclass
class Paper:
    """What the nodes share."""

    question: str
    usage: Usage = field(default_factory=Usage)
    """Of all agents: `ctx.run` adds to it, in a branch to the branch's own copy."""
    found: Annotated[list[Found], Appended] = field(default_factory=list[Found])
    drafts: Annotated[list[str], Appended] = field(default_factory=list[str])


@dataclass
class Plan(BaseNode[Paper, Desk, str]):
    """Asks the planner what to look up, and opens a branch for each question."""

    async def run(self, ctx: GraphRunContext[Paper, Desk]) -> Fork[Research, Gather]:
        limits = ctx.deps.limits(ctx.state.usage)
        plan = await ctx.run(planner, ctx.state.question, model=ctx.deps.model, usage_limits=limits)
        questions = plan.data.questions
        return Fork([Research(question, len(questions)) for question in questions], join=Gather)


@dataclass
class Research(BaseNode[Paper, Desk]):
    """Asks the researcher, who may use an equal share of what is left."""

    question: str
    branches: int

    async def run(self, ctx: GraphRunContext[Paper, Desk]) -> Join[Found]:
        desk, limits = ctx.deps, ctx.deps.limits(ctx.state.usage, self.branches)
        done = await ctx.run(researcher, self.question, deps=desk.library, model=desk.model, usage_limits=limits)
        return Join(Found(self.question, done.data, done.usage()))


@dataclass
class Gather(BaseNode[Paper, Desk, str]):
    """Keeps what was found, and counts what the branches have used."""

    found: list[Found]

    async def run(self, ctx: GraphRunContext[Paper, Desk]) -> Write:
        ctx.state.found.extend(self.found)
        for each in self.found:
            ctx.state.usage.incr(each.usage)
        return Write()


@dataclass
class Write(BaseNode[Paper, Desk, str]):
    """Has the text written, or written anew."""

    remark: str = ""

    async def run(self, ctx: GraphRunContext[Paper, Desk]) -> Criticise:
        findings = [f"{each.question}\n{each.finding.answer} {each.finding.sources}" for each in ctx.state.found]
        remark = [f"Remark: {self.remark}"] if self.remark else []
        brief, limits = "\n".join([*findings, *remark]), ctx.deps.limits(ctx.state.usage)
        draft = await ctx.run(writer, brief, model=ctx.deps.model, usage_limits=limits)
        ctx.state.drafts.append(draft.data)
        return Criticise()


@dataclass
class Criticise(BaseNode[Paper, Desk, str]):
    """Ends with the text if the critic likes it, or has seen enough of it."""

    async def run(
        self, ctx: GraphRunContext[Paper, Desk]
    ) -> Annotated[Write, Edge(label="again")] | Annotated[End[str], Edge(label="good")]:
        text, limits = ctx.state.drafts[-1], ctx.deps.limits(ctx.state.usage)
        verdict = await ctx.run(critic, text, model=ctx.deps.model, usage_limits=limits)
        enough = verdict.data.good or len(ctx.state.drafts) == DRAFTS
        return End(text) if enough else Write(verdict.data.remark)


def counters(paper: Paper) -> Mapping[str, int]:
    """What is kept with each step, and shown by `agentgraph runs`."""
    return {"requests": paper.usage.requests, "total_tokens": paper.usage.total_tokens or 0}


researching = Graph(nodes=(Plan, Research, Gather, Write, Criticise), name="research", usage_of=counters)

# --------------------------------------------------------------------------------------------------------- the program


@dataclass(frozen=True)
class Job:
    """What is asked for on the command line."""

    question: str = QUESTION
    budget: int = 20_000
    model: str | None = None


async def go_on(folder: Path, observers: Sequence[Observer] = (), job: Job = Job()) -> tuple[str, Paper]:
    """Begin the run that is kept in this folder, or go on with it, to its end.

    Raises:
        UsageLimitExceeded: the budget is used up. The run goes on with a larger one.
    """
    desk = Desk(Library(folder / "library.db"), job.budget, job.model)
    desk.library.open()
    async with aclosing(open_store(folder / "runs.db")) as store:
        scheduler = Scheduler(store, observers=observers)
        try:
            paper = Paper(job.question)
            ended = await researching.run(Plan(), state=paper, deps=desk, scheduler=scheduler, run_id=RUN_ID)
        except RunExists:
            ended = await researching.run(resume=RUN_ID, deps=desk, scheduler=scheduler)
        researching.picture(start_node=Plan, title="research").save(folder / "graph.svg")
        (await run_picture(store, RUN_ID)).save(folder / "run.svg")
    return ended.output, ended.state


def tell(event: RunEvent) -> None:
    """Print what happens: the steps of the graph, and the replies of its agents."""
    match event:
        case StepEnded(run_id=run_id, node=node, outcome=outcome, branch=branch) if run_id == RUN_ID:
            print(f"  {branch:4} {node} -> {outcome}")
        case StepEnded(run_id=run_id, node="ModelRequestNode"):
            print(f"         a model has replied in {run_id}")
        case _:
            pass


def main() -> None:
    """Run it as the command line says."""
    parser = ArgumentParser(description="Looks a question up in the manual of Python.")
    parser.add_argument("folder", type=Path, nargs="?", default=Path(gettempdir()) / "agentgraph-research")
    parser.add_argument("--question", default=QUESTION, help="what to look up")
    parser.add_argument("--budget", type=int, default=Job.budget, help="tokens")
    parser.add_argument("--model", help="such as openai:gpt-4o; functions stand in for it otherwise")
    given = parser.parse_args()
    folder: Path = given.folder
    print(f"in {folder}; delete it to begin anew")
    try:
        text, paper = anyio.run(go_on, folder, [tell], Job(given.question, given.budget, given.model))
    except UsageLimitExceeded as error:
        raise SystemExit(f"{error}\nrun it again with a larger --budget: it goes on where it stands") from None
    print(text)
    print(f"{paper.usage.requests} requests, {paper.usage.total_tokens} tokens, {len(paper.drafts)} drafts")
    print(f"drawn: {folder / 'graph.svg'}, and the path that this run took, {folder / 'run.svg'}")


if __name__ == "__main__":
    main()
