"""Runs whose branches fork at random: a process begins one or goes on with it, and answers what it asks."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from random import Random

import anyio

from agentgraph.exceptions import RunNotFound, RunWaiting
from agentgraph.graph import GraphRunOptions, Store, open_questions
from tests.graph.programs import (
    BoomError,
    Instruction,
    Machine,
    Outside,
    Program,
    Top,
    adding,
    answer_to,
    asking,
    failing,
    forking,
    graph,
)

from .dying import DyingStore
from .jobs import RUN_ID, Job, Said, say
from .marks import leave_mark

__all__ = ["random_tree", "walk_tree"]


@dataclass
class Marked(Outside):
    """Its calls leave marks."""

    marks: Path = Path()

    def call(self, key: str) -> int:
        leave_mark(self.marks, key)
        return len(key)


def random_tree(seed: int) -> Program:
    """A program that forks, with forks inside."""
    choice = Random(seed)
    return [_instruction(choice, 0), _fork(choice, 2), _instruction(choice, 0)]


def _fork(choice: Random, depth: int) -> Instruction:
    branches = [[_instruction(choice, depth - 1) for _ in range(choice.randint(0, 2))] for _ in range(3)]
    return forking(branches, choice.choice([None, 1, 2]), choice.choice(["raise", "collect"]))


def _instruction(choice: Random, depth: int) -> Instruction:
    if depth > 0 and choice.random() < 1 / 2:
        return _fork(choice, depth)
    number = choice.randint(1, 99)
    return choice.choice([adding(number), adding(number), adding(number), asking(str(number)), failing(str(number))])


def options_for(store: Store, outside: Outside, *, begun: bool) -> GraphRunOptions[Machine, Outside]:
    options = GraphRunOptions[Machine, Outside](store=store, deps=outside)
    if begun:
        options["resume"] = RUN_ID
    else:
        options["run_id"], options["state"] = RUN_ID, Machine()
    return options


async def is_there(store: Store) -> bool:
    try:
        await store.load(RUN_ID)
    except RunNotFound:
        return False
    return True


def walk_tree(program: Program, job: Job, inner: Store) -> None:
    """Go on until the run has ended, and say how."""
    store = DyingStore(inner, job.told)

    async def work() -> None:
        begun, outside = await is_there(store), Marked(marks=job.marks)
        while True:
            options, start = options_for(store, outside, begun=begun), None if begun else Top(program)
            begun = True
            try:
                answer = (await graph.run(start, **options)).output
            except BoomError:
                continue
            except RunWaiting:
                for question in open_questions(await store.calls(RUN_ID)):
                    await store.answer(RUN_ID, question.key, answer_to(question.key.rpartition("/")[2]))
                continue
            say(Said(pid=os.getpid(), ended={"total": answer.total, "lines": answer.lines}, writes=store.writes))
            return

    anyio.run(work, backend=job.backend)
