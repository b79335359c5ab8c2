"""The document pipeline: what it reads, what it cannot read, and what it does not read again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agentgraph.graph import RunEvent, StepEnded, StepStarted
from examples.documents import FILES, go_on

READABLE = sorted(FILES.keys() - {"survey.json"})


@pytest.mark.anyio
async def test_files_are_read_side_by_side_and_each_as_often_as_it_takes(folder: Path) -> None:
    events: list[RunEvent] = []
    shelf = await go_on(folder, [events.append])
    assert [document.name for document in shelf.documents] == READABLE
    (problem,) = shelf.unread
    assert problem.startswith("survey.json is broken: ")
    again = [event for event in events if isinstance(event, StepStarted) and event.attempt > 1]
    assert [(event.node, event.attempt) for event in again] == [("Read", 2)]  # the sleepy one, and not the broken one
    assert sum(document.length for document in shelf.documents) > 250


@pytest.mark.anyio
async def test_a_run_that_has_ended_answers_at_once(folder: Path) -> None:
    events: list[RunEvent] = []
    first = await go_on(folder)
    assert await go_on(folder, [events.append]) == first
    assert not [event for event in events if isinstance(event, StepEnded)]


def test_killed_after_every_step_it_comes_to_the_same_end(
    folder: Path, killed: Callable[[str, int], int], script: Callable[[str], str]
) -> None:
    assert killed("documents", 1) >= len(FILES)
    said = script("documents")
    assert "| sales.csv | 39 | asked, customers, noon, sold |" in said
    assert "Not read: survey.json is broken" in said
    assert (folder / "catalogue.md").read_text(encoding="utf-8") in said
    for picture in ("graph.svg", "run.svg"):
        assert (folder / picture).read_text(encoding="utf-8").startswith("<svg")
