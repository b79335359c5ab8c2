from __future__ import annotations

import pytest

from agentgraph.models.sse import Event
from tests.models.replaying import events_of

pytestmark = pytest.mark.anyio

MARK = b"\xef\xbb\xbf"


async def test_lines_end_where_the_standard_says_and_nowhere_else() -> None:
    odd = 'data: {"x": "a\u2028b\u2029c\u0085d\x0be\x0cf\x1c"}\n\n'
    assert await events_of(odd.encode()) == [Event("message", odd[6:-2])]
    assert await events_of(b"data: a\ndata:b\r\n\r\ndata: c\r\r") == [Event("message", "a\nb"), Event("message", "c")]


async def test_a_byte_order_mark_means_nothing_at_the_start_alone() -> None:
    for cut in range(len(MARK) + 1):
        body = MARK + b"data: a\n\n"
        assert await events_of(body[:cut], body[cut:]) == [Event("message", "a")]
    assert await events_of(b"\n", MARK + b"data: a\n\n") == []
    assert await events_of(MARK[:2]) == []


async def test_an_event_that_the_end_cuts_off_is_none() -> None:
    assert await events_of(b"data: a\n\ndata: b\n") == [Event("message", "a")]
    assert await events_of() == []
