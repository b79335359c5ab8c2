from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from agentgraph.models.think_tags import ThinkTags


def read(*pieces: str) -> dict[str, str]:
    tags = ThinkTags()
    found = {"thinking": "", "text": ""}
    for kind, found_piece in [*(each for piece in pieces for each in tags.add(piece)), *tags.end()]:
        found[kind] += found_piece
    return found


@pytest.mark.parametrize(
    ("whole", "thinking", "text"),
    [
        ("Hello", "", "Hello"),
        ("<think>hm</think>\n\nHello", "hm", "Hello"),
        ("<think>hm", "hm", ""),
        ("<think>a </thin b", "a </thin b", ""),
        ("<think>a </thin", "a </thin", ""),
        ("<think></think>", "", ""),
        ("<thin", "", "<thin"),
        ("<thick>", "", "<thick>"),
        (" <think>no</think>", "", " <think>no</think>"),
        ("<think>a</think> b <think>c</think>", "a", "b <think>c</think>"),
        ("<think>a</</think>b", "a</", "b"),
        ("", "", ""),
    ],
)
def test_only_tags_at_the_start_are_tags(whole: str, thinking: str, text: str) -> None:
    assert read(whole) == {"thinking": thinking, "text": text}
    assert read(*whole) == {"thinking": thinking, "text": text}


@given(st.lists(st.sampled_from(["<think>", "</think>", "<", "th", "ink>", "/", " ", "a", "\n"])), st.data())
def test_where_a_text_is_cut_makes_no_difference(pieces: list[str], data: st.DataObject) -> None:
    whole = "".join(pieces)
    cut = data.draw(st.integers(0, len(whole)))
    assert read(whole[:cut], whole[cut:]) == read(whole) == read(*pieces)
