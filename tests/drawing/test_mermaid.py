"""Charts as the text of Mermaid diagrams."""

from __future__ import annotations

from hypothesis import given, settings

from agentgraph.drawing import Chart, Kind, Link, Shape, Tone, mermaid_text, state_code
from tests.drawing.charts import charts


def test_shapes_links_and_tones() -> None:
    shapes = [
        Shape(key="start", kind=Kind.START),
        Shape(key="a", text="A", rows=[("left", "right"), ("alone", "")], note="by the way", tone=Tone.BAD),
        Shape(key="bar", kind=Kind.BAR),
        Shape(key="b", text="B", tone=Tone.BAD),
        Shape(key="end", kind=Kind.END),
    ]
    links = [Link("start", "a"), Link("a", "bar", "on"), Link("bar", "b"), Link("b", "end")]
    assert state_code(Chart(shapes=shapes, links=links, title='"T"\n\\', direction="LR")).splitlines() == [
        "---",
        'title: "\\"T\\" \\\\"',
        "---",
        "stateDiagram-v2",
        "  direction LR",
        "  s2: A",
        "  s2: left right",
        "  s2: alone",
        "  note right of s2",
        "    by the way",
        "  end note",
        "  state s3 <<fork>>",
        "  s4: B",
        "  [*] --> s2",
        "  s2 --> s3: on",
        "  s3 --> s4",
        "  s4 --> [*]",
        "  classDef bad fill:#fde4e1,stroke:#c0392b,color:#1c2630",
        "  class s2,s4 bad",
    ]


def test_text_stays_on_its_line() -> None:
    assert mermaid_text("a;\n<b> #1") == "a#59; #lt;b#gt; #35;1"


@settings(max_examples=30, deadline=None)
@given(charts())
def test_every_link_is_a_line(chart: Chart) -> None:
    lines = state_code(chart).splitlines()
    assert sum(" --> " in line for line in lines) == len(chart.links)
