"""Recorded streams, their bytes cut anew: the same events, wherever the cuts are."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings, strategies as st

from agentgraph.models.bedrock_frames import FRAMES
from agentgraph.models.sse import SSE, Event
from tests.models.recordings import records
from tests.models.replaying import bytes_of, events_of

SMALL = 3000
"""Bytes up to which a stream is cut at every place."""
FILES = ("openai_chat", "openai_responses", "anthropic", "google", "mistral", "groq", "bedrock", "compat")
each_file = pytest.mark.parametrize("name", FILES)


@cache
def streams(name: str) -> tuple[bytes, ...]:
    """The event streams of a file of recordings."""
    return tuple(bytes_of(record) for record in records(name) if "json" not in record["response"])


def events(name: str, *chunks: bytes) -> list[Event]:
    return events_of(*chunks, framing=FRAMES if name == "bedrock" else SSE)


def test_every_file_with_streams_is_here() -> None:
    assert not any(record["stream"] for record in records("cohere"))
    assert all(streams(name) for name in FILES)


@each_file
def test_a_stream_that_comes_byte_by_byte_holds_the_same_events(name: str) -> None:
    for stream in streams(name):
        assert events(name, *(stream[i : i + 1] for i in range(len(stream)))) == events(name, stream) != []


@each_file
def test_a_small_stream_cut_at_any_byte_holds_the_same_events(name: str) -> None:
    for stream in streams(name):
        whole = events(name, stream)
        for cut in range(1, len(stream)) if len(stream) < SMALL else ():
            assert events(name, stream[:cut], stream[cut:]) == whole


@each_file
@settings(max_examples=30)
@given(data=st.data())
def test_any_stream_cut_anywhere_holds_the_same_events(name: str, data: st.DataObject) -> None:
    stream = data.draw(st.sampled_from(streams(name)))
    cuts = [0, *sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20))), len(stream)]
    chunks = [stream[begin:end] for begin, end in pairwise(cuts) if begin < end]
    assert events(name, *chunks) == events(name, stream)


@pytest.mark.parametrize("name", [name for name in FILES if name != "bedrock"])
def test_line_ends_of_any_kind_hold_the_same_events(name: str) -> None:
    for stream in streams(name):
        lines = stream.replace(b"\r\n", b"\n")
        whole = events(name, lines)
        assert whole == events(name, stream)
        assert events(name, lines.replace(b"\n", b"\r\n")) == whole
        assert events(name, lines.replace(b"\n", b"\r")) == whole
