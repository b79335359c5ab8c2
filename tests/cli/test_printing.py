from __future__ import annotations

import pytest

from agentgraph.cli.printing import age, console, one_line, size, text


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-1, "now"), (0.4, "now"), (5, "5 s"), (90, "2 min"), (7200, "2 h"), (86400 * 3, "3 d")],
)
def test_ages_are_told_in_the_largest_unit(seconds: float, shown: str) -> None:
    assert age(seconds) == shown


def test_sizes() -> None:
    assert (size(12), size(45_678)) == ("12 bytes", "46 kB")


def test_a_long_text_is_cut_to_one_line() -> None:
    assert one_line("a\n b") == "a b"
    assert one_line("abcdef", limit=4) == "abc…"


def test_nothing_shown_moves_the_cursor() -> None:
    shown = text("[red]\x1b[2J\x07\x9b\n\tend").plain
    assert shown == "[red]␛[2J␇�\n\tend"


def test_the_width_can_be_set_for_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert console().width == 160
    monkeypatch.setenv("COLUMNS", "50")
    assert console().width == 50
