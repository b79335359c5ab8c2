from __future__ import annotations

from agentgraph.models.sse import SSE, Event
from tests.models.replaying import events_of

MARK = b"\xef\xbb\xbf"


def test_lines_end_where_the_standard_says_and_nowhere_else() -> None:
    odd = 'data: {"x": "a\u2028b\u2029c\u0085d\x0be\x0cf\x1c"}\n\n'
    assert events_of(odd.encode()) == [Event("message", odd[6:-2])]
    assert events_of(b"data: a\ndata:b\r\n\r\ndata: c\r\r") == [Event("message", "a\nb"), Event("message", "c")]


def test_a_byte_order_mark_means_nothing_at_the_start_alone() -> None:
    for cut in range(len(MARK) + 1):
        body = MARK + b"data: a\n\n"
        assert events_of(body[:cut], body[cut:]) == [Event("message", "a")]
    assert events_of(b"\n", MARK + b"data: a\n\n") == []
    assert events_of(MARK[:2]) == []


def test_an_event_that_the_end_cuts_off_is_none() -> None:
    assert events_of(b"data: a\n\ndata: b\n") == [Event("message", "a")]
    assert events_of() == []


def test_what_is_no_text_is_damage() -> None:
    decoder = SSE.decoder()
    assert decoder.feed(b"data: a\xe2") == []
    assert decoder.damage is None
    assert decoder.feed(b"x\n\n") == []
    assert decoder.damage == "not valid UTF-8"
