"""The research graph: what it finds is in the manual, what it costs is in the budget, and nothing is asked twice."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from agentgraph import UsageLimitExceeded, UserError
from agentgraph.graph import RunEvent, StepEnded
from agentgraph.messages import ModelMessage, ModelResponse
from agentgraph.models.function import AgentInfo, FunctionModel
from examples.research import DRAFTS, Job, Library, critic, go_on, research_by_rule, researcher, result

REQUESTS = 1 + 3 * 2 + 2 * 2
"""The plan, a search and an answer for each question, two drafts with what the critic says of each."""


@pytest.fixture
def library(folder: Path) -> Library:
    library = Library(folder / "library.db")
    library.open()
    return library


def replies(events: list[RunEvent]) -> int:
    return sum(isinstance(event, StepEnded) and event.node == "ModelRequestNode" for event in events)


@pytest.mark.anyio
async def test_what_is_written_stands_in_the_passages_it_names(folder: Path, library: Library) -> None:
    text, paper = await go_on(folder)
    assert [each.question for each in paper.found] == [
        f"What about {subject}?" for subject in ("exceptions", "context managers", "yield expressions")
    ]
    for each in paper.found:
        passages = [library.passage(number) or "" for number in each.finding.sources]
        assert passages
        begins = each.finding.answer.partition(". ")[0]
        assert any(passage.startswith(begins) for passage in passages)
        assert str(each.finding.sources) in text
    assert re.search(r"\[\d", paper.drafts[0]) is None
    assert (paper.drafts[1:], paper.usage.requests) == ([text], REQUESTS)


@pytest.mark.anyio
@pytest.mark.parametrize("budget", [100, 1500])
async def test_a_run_over_its_budget_goes_on_with_a_larger_one(folder: Path, budget: int) -> None:
    events: list[RunEvent] = []
    with pytest.raises(UsageLimitExceeded):
        await go_on(folder, [events.append], Job(budget=budget))
    assert 0 < replies(events) < REQUESTS
    _, paper = await go_on(folder, [events.append])
    assert replies(events) == paper.usage.requests == REQUESTS


@pytest.mark.anyio
async def test_sources_that_were_made_up_are_sent_back(library: Library) -> None:
    def invent(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return (
            result(info, answer="So it is.", sources=[10**6])
            if len(messages) == 1
            else research_by_rule(messages, info)
        )

    with researcher.override(model=FunctionModel(invent)):
        found = await researcher.run("What about exceptions?", deps=library)
    assert all(library.passage(number) for number in found.data.sources)
    assert found.usage().requests == 3


@pytest.mark.anyio
async def test_a_critic_who_likes_nothing_sees_a_few_drafts(folder: Path) -> None:
    with critic.override(model=FunctionModel(lambda _, info: result(info, good=False, remark="dull"))):
        _, paper = await go_on(folder)
    assert len(paper.drafts) == DRAFTS


@pytest.mark.anyio
async def test_another_model_is_asked_if_it_is_named(folder: Path) -> None:
    with pytest.raises(UserError, match="nobody:knows"):
        await go_on(folder, job=Job(model="nobody:knows"))


def test_killed_after_every_fifth_step_it_comes_to_the_same_end(
    folder: Path, killed: Callable[[str, int], int], script: Callable[[str], str]
) -> None:
    assert killed("research", 5) >= 5
    assert f"\n{REQUESTS} requests, " in script("research")
    for picture in ("graph.svg", "run.svg"):
        assert (folder / picture).read_text(encoding="utf-8").startswith("<svg")
