"""The room that text takes."""

from __future__ import annotations

from agentgraph.drawing.text import folded


def test_lines_of_a_paragraph_are_about_as_long_as_each_other() -> None:
    assert folded("waits for a person, for days if need be", 38) == ["waits for a person,", "for days if need be"]


def test_own_line_breaks_are_kept_and_long_words_cut() -> None:
    assert folded("a\n\nb c\n" + 12 * "x", 10) == ["a", "", "b c", 6 * "x", 6 * "x"]
    assert folded("", 10) == []
