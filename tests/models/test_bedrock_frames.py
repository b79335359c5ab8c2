from __future__ import annotations

import json
import sys

import pytest

from agentgraph.exceptions import UserError
from agentgraph.models.bedrock_frames import FRAMES
from agentgraph.models.sse import Event
from tests.models.bedrock_service import event_frame, exception_frame, frame
from tests.models.replaying import events_of as framed


def events_of(*chunks: bytes) -> list[Event]:
    return framed(*chunks, framing=FRAMES)


def test_a_message_becomes_the_object_that_the_api_describes() -> None:
    body = event_frame({"messageStop": {"stopReason": "end_turn"}})
    [event] = events_of(body)
    assert (event.name, json.loads(event.data)) == ("messageStop", {"messageStop": {"stopReason": "end_turn"}})


def test_a_message_may_be_empty() -> None:
    [event] = events_of(frame(b"", event_type="ping", message_type="event"))
    assert event.data == '{"ping":null}'


def test_messages_may_be_cut_anywhere() -> None:
    body = b"".join(event_frame({"contentBlockDelta": {"n": n}}) for n in range(3))
    whole = events_of(body)
    assert len(whole) == 3
    for cut in range(1, len(body)):
        assert events_of(body[:cut], body[cut:]) == whole


def test_a_message_that_the_end_cuts_off_is_dropped() -> None:
    assert events_of(event_frame({"messageStop": {}})[:-1]) == []


def test_exceptions_and_errors_are_told_apart_from_events() -> None:
    thrown = exception_frame("throttlingException", "slow down")
    failed = frame(b"", error_code="InternalFailure", error_message="gone", message_type="error")
    events = [json.loads(event.data) for event in events_of(thrown, failed)]
    assert events == [
        {"exception": {"type": "throttlingException", "body": {"message": "slow down"}}},
        {"exception": {"type": "InternalFailure", "body": "gone"}},
    ]


@pytest.mark.parametrize(
    "damaged",
    [
        event_frame({"messageStop": {}})[:-1] + b"\x00",
        b"\x00" * 20,
        frame(b"\xff", event_type="x", message_type="event"),
        b"data: {}\n\ndata: {}\n\n",
    ],
)
def test_what_is_no_message_is_damage_after_the_events_before(damaged: bytes) -> None:
    decoder = FRAMES.decoder()
    [event] = decoder.feed(event_frame({"messageStart": {}}) + damaged)
    assert event.name == "messageStart"
    assert decoder.damage is not None
    assert "damaged event stream" in decoder.damage


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore.eventstream", None)
    with pytest.raises(UserError, match=r"agentgraph\[bedrock\]"):
        events_of(b"x")
