"""Where things stand in a picture."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings

from agentgraph.drawing import Arrangement, Chart, Direction, Kind, Link, Shape, arranged
from agentgraph.drawing.text import Size
from tests.drawing.charts import DIRECTIONS, charts, covers, is_inside, overlaps, points, rects, touches


def overlaps_along(arrangement: Arrangement) -> list[str]:
    """Shapes that begin before the one left of them ends."""
    by_place = sorted(arrangement.shapes, key=lambda shape: (shape.rect.y, shape.rect.x))
    return [
        other.shape.key
        for one, other in pairwise(by_place)
        if one.rect.y == other.rect.y and other.rect.x < one.rect.right
    ]


def boxes(names: str) -> list[Shape]:
    return [Shape(key=name, text=name) for name in names]


@settings(max_examples=120, deadline=None)
@given(charts())
def test_nothing_overlaps_and_everything_is_inside(chart: Chart) -> None:
    arrangement = arranged(chart)
    assert overlaps(arrangement) == []
    for rect in rects(arrangement):
        assert rect.x >= -0.01
        assert rect.y >= -0.01
        assert rect.right <= arrangement.size.width + 0.01
        assert rect.bottom <= arrangement.size.height + 0.01


@settings(max_examples=60, deadline=None)
@given(charts())
def test_links_end_at_their_shapes_and_run_through_no_other(chart: Chart) -> None:
    arrangement = arranged(chart)
    placed = {shape.shape.key: shape for shape in arrangement.shapes}
    assert {(link.link.tail, link.link.head) for link in arrangement.links} == {
        (link.tail, link.head) for link in chart.links
    }
    for link in arrangement.links:
        assert touches(link.curve[0], placed[link.link.tail])
        assert touches(link.curve[-1], placed[link.link.head])
        others = [each.label for each in arrangement.links if each is not link and each.label]
        for point in points(link):
            assert not [key for key, shape in placed.items() if covers(shape, point)]
            assert not [label for label in others if is_inside(point, label, 0.1)]
            assert -0.01 <= point.x <= arrangement.size.width + 0.01
            assert -0.01 <= point.y <= arrangement.size.height + 0.01


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_links_lead_where_the_direction_says(direction: Direction) -> None:
    one, other = arranged(Chart(shapes=boxes("ab"), links=[Link("a", "b")], direction=direction)).shapes
    leads = other.rect.middle.x - one.rect.middle.x, other.rect.middle.y - one.rect.middle.y
    signs = {"TB": (0, 1), "LR": (1, 0), "RL": (-1, 0), "BT": (0, -1)}[direction]
    assert [(part > 1) - (part < -1) for part in leads] == [*signs]


def test_a_chain_is_a_straight_line() -> None:
    chain = [Link(tail, head) for tail, head in ("ab", "bc", "cd")]
    arrangement = arranged(Chart(shapes=boxes("abcd"), links=chain))
    assert len({shape.rect.middle.x for shape in arrangement.shapes}) == 1
    assert all(len({point.x for point in link.curve}) == 1 for link in arrangement.links)


def test_a_shape_stands_close_to_what_it_leads_to() -> None:
    links = [Link(tail, head) for tail, head in ("ab", "bc", "cd", "xd")]
    rows = {shape.shape.key: shape.rect.y for shape in arranged(Chart(shapes=boxes("abcdx"), links=links)).shapes}
    assert rows["x"] == rows["c"]


def test_what_can_be_drawn_without_a_crossing_is() -> None:
    links = [Link(tail, head) for tail, head in ("ax", "by", "cz", "sa", "sb", "sc", "xe", "ye", "ze")]
    arrangement = arranged(Chart(shapes=boxes("scabzxye"), links=links))
    places = {shape.shape.key: shape.rect.middle.x for shape in arrangement.shapes}
    assert sorted("abc", key=lambda key: places[key]) == sorted(
        "abc", key=lambda key: places[dict(links_of(links))[key]]
    )


def links_of(links: list[Link]) -> list[tuple[str, str]]:
    return [(link.tail, link.head) for link in links]


def test_several_links_of_a_shape_to_itself_are_one() -> None:
    chart = Chart(shapes=boxes("a"), links=[Link("a", "a", "one"), Link("a", "a", "two")])
    (loop,) = arranged(chart).links
    assert loop.link.label == "one\ntwo"


def test_a_bar_is_as_wide_as_its_ways_need() -> None:
    shapes = [Shape(key="bar", kind=Kind.BAR), *boxes("abcdefgh")]
    bar = arranged(Chart(shapes=shapes, links=[Link("bar", key) for key in "abcdefgh"])).shapes[0]
    assert bar.rect.width > 8 * 20


def test_a_long_chart_needs_no_deep_stack() -> None:
    names = [str(number) for number in range(500)]
    links = [Link(one, other) for one, other in pairwise(names)]
    arrangement = arranged(Chart(shapes=[Shape(key=name) for name in names], links=[*links, Link("499", "0")]))
    assert arrangement.size.height > 500 * 30


def test_a_large_chart_is_drawn_too() -> None:
    shapes = [Shape(key=str(number)) for number in range(300)]
    links = [Link(str(number % 150), str(150 + number * number % 149)) for number in range(310)]
    assert overlaps_along(arranged(Chart(shapes=shapes, links=links))) == []


def test_an_empty_chart_has_no_size() -> None:
    assert arranged(Chart(shapes=[])).size == Size(0, 0)


def test_a_link_to_nowhere_is_an_error() -> None:
    with pytest.raises(KeyError, match="b"):
        arranged(Chart(shapes=boxes("a"), links=[Link("a", "b")]))
