"""What is written as SVG."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings

from agentgraph.drawing import Chart, Kind, Link, Shape, Tone, svg
from tests.drawing.charts import charts
from tests.drawing.documents import NAMESPACE, parsed, texts


def drawn_box(css: str) -> ET.Element:
    return parsed(svg(Chart(shapes=[Shape(key="a", text="A", css=css)])))


@settings(max_examples=40, deadline=None)
@given(charts())
def test_any_chart_is_a_document(chart: Chart) -> None:
    root = parsed(svg(chart))
    assert root.tag == f"{NAMESPACE}svg"
    assert len([*root.iter(f"{NAMESPACE}path")]) >= len({(link.tail, link.head) for link in chart.links})


def test_it_says_what_it_shows_to_who_cannot_see_it() -> None:
    shapes = [Shape(key="a", text="A"), Shape(key="b", text="B"), Shape(key="e", kind=Kind.END)]
    root = parsed(svg(Chart(title="T", shapes=shapes, links=[Link("a", "b", "go"), Link("b", "e")])))
    assert root.get("role") == "img"
    assert root.findtext(f"{NAMESPACE}title") == "T"
    assert root.findtext(f"{NAMESPACE}desc") == "A, B. Arrows: A to B (go); B to end."
    assert parsed(svg(Chart(shapes=shapes))).findtext(f"{NAMESPACE}desc") == "A, B."
    assert parsed(svg(Chart(shapes=shapes, summary="S"))).findtext(f"{NAMESPACE}desc") == "S"


def test_text_is_data() -> None:
    hostile = "</text><script>\"&'</script>"
    chart = Chart(title=hostile, shapes=[Shape(key="a", text=hostile, css=f'fill:"{hostile}', note=hostile)])
    root = parsed(svg(chart))
    assert not [*root.iter(f"{NAMESPACE}script")]
    assert texts(svg(chart))[0] == hostile


def test_what_xml_cannot_hold_is_replaced() -> None:
    drawn = svg(Chart(title="a\0b", shapes=[Shape(key="a", text="\ud800\x1b")]))
    assert texts(drawn) == ["a\ufffdb", "\ufffd\ufffd"]


def test_nothing_is_fetched() -> None:
    drawn = svg(Chart(shapes=[Shape(key="a", text="A")])).replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not [word for word in ("http", "url(", "href", "@import", "@font-face") if word in drawn]


def test_dark_ground_has_its_own_colours() -> None:
    drawn = svg(Chart(shapes=[Shape(key="a", text="A")]))
    light, _, dark = drawn.partition("@media (prefers-color-scheme:dark){")
    assert ".agentgraph .ground{fill:#ffffff}" in light
    assert ".agentgraph .ground{fill:#14191f}" in dark


@pytest.mark.parametrize(
    ("css", "ink"),
    [
        ("fill:#fdff32", "#1c2630"),
        ("fill:#203", "#e8edf2"),
        ("fill:rgb(0,1,2),stroke:red", "#1c2630"),
        ("color:red", "red"),
    ],
)
def test_text_on_a_given_colour_is_readable(css: str, ink: str) -> None:
    (text,) = drawn_box(css).iter(f"{NAMESPACE}text")
    assert text.get("style") == f"fill:{ink}"


def test_given_declarations_are_taken_as_mermaid_and_as_css_write_them() -> None:
    for css in ("fill:rgb(0,1,2),stroke:red", "fill:rgb(0,1,2); stroke:red; nonsense"):
        styles = [rect.get("style") for rect in drawn_box(css).iter(f"{NAMESPACE}rect")]
        assert styles == [None, "fill:rgb(0,1,2);stroke:red"]


def test_a_table_has_columns_and_a_box_has_lines() -> None:
    rows = [("id", "TEXT"), ("alone", "")]
    for kind, expected in ((Kind.TABLE, ["T", "id", "TEXT", "alone"]), (Kind.BOX, ["T", "idTEXT", "alone"])):
        assert texts(svg(Chart(shapes=[Shape(key="t", text="T", rows=rows, kind=kind)]))) == expected


def test_tones_are_groups() -> None:
    drawn = svg(Chart(shapes=[Shape(key="a", text="A", tone=Tone.BAD)], links=[Link("a", "a", "", Tone.QUIET)]))
    assert '<g class="bad">' in drawn
    assert '<g class="quiet">' in drawn


def test_wide_letters_have_room() -> None:
    def width(text: str) -> float:
        return float(parsed(svg(Chart(shapes=[Shape(key="a", text=text)]))).get("width", ""))

    assert width("漢字漢字漢字") > width("kanjis") + 20
    assert width("e\u0301" * 12) == width("e" * 12)
    assert width("жжжжжжжжжж") > width("jjjjjjjjjj")
