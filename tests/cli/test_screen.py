from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from agentgraph.cli.screen import LiveScreen, PlainScreen, screen_for
from agentgraph.cli.walk import CallBegan, CallEnded, NodeBegan, RunFinished, TextCame, WalkEvent

STEP = NodeBegan(0, "ModelRequestNode", 1)
HANDLE = NodeBegan(1, "HandleResponseNode", 2)


def show(*events: WalkEvent, terminal: bool) -> str:
    out = StringIO()
    screen = screen_for(Console(file=out, force_terminal=terminal, width=100, highlight=False, color_system=None))
    for event in events:
        screen.tell(event)
    screen.close()
    return out.getvalue()


def test_each_console_gets_its_screen() -> None:
    assert isinstance(screen_for(Console(force_terminal=True)), LiveScreen)
    assert isinstance(screen_for(Console(force_terminal=False)), PlainScreen)


def test_text_is_written_as_it_comes() -> None:
    shown = show(STEP, TextCame("Hel"), TextCame("lo"), HANDLE, RunFinished("done"), terminal=False)
    assert shown.splitlines() == [
        "step 0  ModelRequestNode",
        "    Hello",
        "step 1  HandleResponseNode (attempt 2)",
        "result  done",
    ]


@pytest.mark.parametrize("terminal", [False, True])
def test_calls_are_shown_with_what_became_of_them(*, terminal: bool) -> None:
    shown = show(
        HANDLE,
        CallBegan("1", "look", "{}"),
        CallBegan("2", "pay", '{"cents":5}'),
        CallBegan("3", "note", "{}"),
        CallEnded("1", "seen"),
        CallEnded("2", "too little", retry=True),
        CallEnded("3", "written", kept=True),
        CallEnded("4", "of a call that nobody has seen"),
        STEP,
        terminal=terminal,
    )
    assert "look -> seen" in shown
    assert "pay retry too little" in shown
    assert "note was done already, says the journal: written" in shown
    assert "nobody has seen" not in shown


@pytest.mark.parametrize("terminal", [False, True])
def test_what_ran_when_it_was_cut_off_is_said(*, terminal: bool) -> None:
    assert "pay was running" in show(HANDLE, CallBegan("1", "pay", "{}"), terminal=terminal)


def test_a_terminal_keeps_the_text_of_each_step() -> None:
    shown = show(STEP, TextCame("Hel"), TextCame("lo"), RunFinished("done"), terminal=True)
    assert "Hello" in shown
    assert "result  done" in shown


@pytest.mark.parametrize("terminal", [False, True])
def test_a_screen_without_events_shows_nothing(*, terminal: bool) -> None:
    assert show(terminal=terminal) == ""
