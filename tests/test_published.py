"""What docs/performance.md, the README and the plots show is what benchmarks/figures.json says."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from benchmarks.__main__ import there
from benchmarks.figures import Measured, read, write
from benchmarks.own import text
from benchmarks.peers.libraries import Library, read_libraries
from benchmarks.peers.measuring import Cell
from benchmarks.peers.workloads import WORKLOADS
from benchmarks.plots import Bar, Line, bars, lines
from benchmarks.publish import filled, pages, plots
from benchmarks.targets import Of

OURS, FLOOR, *_ = read_libraries()
ANSWER = next(each for each in WORKLOADS if each.name == "answer")
CELLS = [Cell(ANSWER, OURS, {"cpu": [2e-6, 4e-6]}), Cell(ANSWER, FLOOR, {"cpu": [1e-6]})]


def test_pages_and_plots_show_the_figures() -> None:
    stale = [path.name for path, text in (pages(read()) | plots(read())).items() if path.read_text("utf-8") != text]
    assert stale == [], "run `python -m benchmarks.publish`"


def test_figures_are_written_and_read(tmp_path: Path) -> None:
    write(tmp_path / "figures.json", CELLS, [{"workload": "a loop", "µs": 2.5}])
    measured = read(tmp_path / "figures.json")
    assert measured.cells == CELLS
    assert [measured.value(of) for of in (Of("answer", "cpu"), Of("answer", "cpu", "floor"))] == [3e-6, 1e-6]
    assert [measured.value(of) for of in (Of("a loop", "µs"), Of("a loop", "ms"), Of("none", "µs"))] == [
        2.5,
        None,
        None,
    ]


def test_a_file_that_is_not_there_has_no_figures(tmp_path: Path) -> None:
    assert read(tmp_path / "figures.json").cells == ()


def test_a_table_is_put_between_its_comments_again_and_again() -> None:
    page = "before\n<!-- measured: A run in memory -->\nold\n<!-- end -->\nafter\n"
    once = filled(page, Measured(CELLS))
    assert once.splitlines()[4:6] == ["| ---", "| agentgraph | 3 µs |"] or "| by hand | 1 µs (0.33 ×) |" in once
    assert filled(once, Measured(CELLS)) == once
    assert once.startswith("before\n")
    assert "old" not in once


def test_a_page_that_asks_for_what_is_not_measured_is_refused() -> None:
    with pytest.raises(KeyError, match="weather"):
        filled("<!-- measured: weather -->\n<!-- end -->", Measured(()))


def test_without_environments_ours_and_by_hand_run_here(tmp_path: Path) -> None:
    missing = tmp_path / "python"
    names = ("agentgraph", "floor", "other")
    found = there([Library(name, name, f"with_{name}", missing) for name in names])
    assert [each.name for each in found] == ["agentgraph", "floor"]
    assert missing not in {each.python for each in found}


def elements(svg: str, name: str) -> list[ET.Element]:
    return list(ET.fromstring(svg).iter(f"{{http://www.w3.org/2000/svg}}{name}"))  # noqa: S314 - our own


def test_a_bar_is_longer_by_the_same_for_each_power_of_ten() -> None:
    svg = bars("Cost", "µs", [Bar("ours", 2, "2 µs", "ours"), Bar("a <peer>", 20, "20 µs"), Bar("b", 200, "200 µs")])
    one, ten, hundred = (float(each.get("width", 0)) for each in elements(svg, "rect")[1:])
    assert ten - one == pytest.approx(hundred - ten, abs=0.2)
    assert [each.text for each in elements(svg, "text")][-6:] == ["ours", "2 µs", "a <peer>", "20 µs", "b", "200 µs"]


def test_lines_have_a_point_for_each_size_and_names_that_do_not_touch() -> None:
    svg = lines("Cost", ("turns", "µs"), [Line("one", [(10, 5), (400, 5)]), Line("two", [(10, 5), (400, 5.1)])])
    assert len(elements(svg, "circle")) == 4
    named = {each.text: float(each.get("y", 0)) for each in elements(svg, "text")}
    assert abs(named["one"] - named["two"]) >= 15


def test_a_row_is_told_in_a_line() -> None:
    assert text({"workload": "a loop", "us/step": 2.5, "kept": "nowhere"}).split() == ["a", "loop", "us/step", "2.5"]
