"""Agents that wait for people: a boss who has a clerk as child run, answers from other processes, and forks.

The run `r` waits for three approvals, one of them its child's. While it waits it is forked (`f`), then both are
answered, differently, and go on. At the end `r` is forked once more, at a step that lies behind it (`g`). Every process
does what is to be done next, as the store shows it; so whichever of them is killed, the next one takes its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentgraph import Agent, RunContext, ToolApproved, ToolDenied
from agentgraph.agent.options import RunOptions
from agentgraph.graph import Question, RunFilter, RunRecord, Status, open_questions
from agentgraph.messages import ModelMessage, ModelResponse, ModelResponsePart, TextPart, ToolCallPart
from agentgraph.models.function import AgentInfo, FunctionModel

from .jobs import RUN_ID
from .legal import check_history
from .place import Place

__all__ = ["ALL_RUNS", "Answering", "Deed", "Forking", "Going", "boss", "next_deed", "options"]

Ctx = RunContext[Place]

FORK, SECOND_FORK = "f", "g"
ALL_RUNS = (RUN_ID, FORK, SECOND_FORK)
BEHIND = 3
"""The step of `r` at which `g` begins: the request after the calls."""

BOSS: Sequence[Sequence[ModelResponsePart]] = (
    [
        TextPart("I see to it."),
        ToolCallPart("look_up", {"customer": "ada"}, "look"),
        ToolCallPart("order", {"parcel": 3}, "order"),
        ToolCallPart("pay", {"euros": 50}, "pay"),
        ToolCallPart("dismiss", {"customer": "ada"}, "dismiss"),
    ],
    [TextPart("All is settled.")],
)
CLERK: Sequence[Sequence[ModelResponsePart]] = (
    [ToolCallPart("weigh", {"parcel": 3}, "weigh"), ToolCallPart("sign", {"parcel": 3}, "sign")],
    [TextPart("ordered")],
)

ANSWERS: Mapping[str, Mapping[str, ToolApproved | ToolDenied]] = {
    RUN_ID: {"pay": ToolApproved(args={"euros": 40}), "dismiss": ToolDenied("never"), "sign": ToolApproved()},
    FORK: {"pay": ToolDenied("too much"), "dismiss": ToolApproved(), "sign": ToolDenied("not by us")},
}


def says(replies: Sequence[Sequence[ModelResponsePart]]) -> FunctionModel:
    def reply(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        check_history(messages)
        return ModelResponse([*replies[sum(isinstance(message, ModelResponse) for message in messages)]])

    return FunctionModel(reply)


boss = Agent(says(BOSS), deps_type=Place, name="boss")
clerk = Agent(says(CLERK), deps_type=Place, name="clerk")


@boss.tool
async def look_up(ctx: Ctx, customer: str) -> str:
    return ctx.deps.made(ctx.idempotency_key, f"{customer} is fine")


@boss.tool
async def order(ctx: Ctx, parcel: int) -> str:
    """Have the clerk do it."""
    ordered = await clerk.run(f"Order parcel {parcel}", parent=ctx, deps=ctx.deps)
    return ctx.deps.made(ctx.idempotency_key, ordered.data)


@boss.tool(requires_approval=True)
async def pay(ctx: Ctx, euros: int) -> str:
    return ctx.deps.made(ctx.idempotency_key, f"{euros} paid")


@boss.tool(requires_approval=True)
def dismiss(ctx: Ctx, customer: str) -> str:
    return ctx.deps.made(ctx.idempotency_key, f"{customer} is dismissed")


@clerk.tool
def weigh(ctx: Ctx, parcel: int) -> str:
    return ctx.deps.made(ctx.idempotency_key, f"{parcel} kg")


@clerk.tool(requires_approval=True)
async def sign(ctx: Ctx, parcel: int) -> str:
    return ctx.deps.made(ctx.idempotency_key, f"parcel {parcel} is signed for")


@dataclass(frozen=True)
class Forking:
    """Fork `r`."""

    step: int | None
    made: str


@dataclass(frozen=True)
class Answering:
    """Answer all that a run waits for."""

    run_id: str
    questions: Sequence[Question]

    async def do(self, place: Place) -> None:
        for question in self.questions:
            answer = ANSWERS[self.run_id][question.about["call"]["tool_name"]]
            await boss.answer(self.run_id, question.key_in(self.run_id), answer, store=place.store)


@dataclass(frozen=True)
class Going:
    """Begin a run, or go on with it."""

    run_id: str
    resume: bool


Deed = Forking | Answering | Going


async def next_deed(place: Place) -> Deed | None:
    """What is to be done next; None: nothing, all runs have ended."""
    runs = {run.run_id: run for run in await place.store.list(RunFilter())}
    if RUN_ID not in runs:
        return Going(RUN_ID, resume=False)
    if runs[RUN_ID].status is Status.WAITING and FORK not in runs:
        return Forking(None, FORK)
    for run_id in (RUN_ID, FORK):
        deed = await _next_of(place, runs[run_id])
        if deed is not None:
            return deed
    return Forking(BEHIND, SECOND_FORK) if SECOND_FORK not in runs else await _next_of(place, runs[SECOND_FORK])


async def _next_of(place: Place, run: RunRecord) -> Deed | None:
    if run.status is Status.SUCCEEDED:
        return None
    asked = open_questions(await place.store.calls(run.run_id))
    still = [question for question in asked if await _is_open(place, question)]
    waits = run.status is Status.WAITING and still
    return Answering(run.run_id, still) if waits else Going(run.run_id, resume=True)


async def _is_open(place: Place, question: Question) -> bool:
    return question.key in {each.key for each in open_questions(await place.store.calls(question.run_id))}


def options(place: Place, going: Going) -> RunOptions[Place]:
    chosen: RunOptions[Place] = {"store": place.store, "deps": place}
    chosen["resume" if going.resume else "run_id"] = going.run_id
    return chosen
