"""Recorded answers with something wrong in one place: a reply that can be stored and sent on, or a named error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, TypeAlias, cast

import pytest
from hypothesis import given, settings, strategies as st

from agentgraph.exceptions import AgentRunError
from agentgraph.messages import ModelMessagesTypeAdapter, ModelRequest, UserPromptPart
from tests.models.codecs import CODECS, Answer, Codec, recorded
from tests.models.recordings import JSON

Path: TypeAlias = tuple[str | int, ...]
GONE = object()
WRONG: list[object] = [
    *(None, True, 0, -1, 10**30, 1.5, float("inf"), "", "x", "\ud800"),
    *([], [None], [1], ["x"], [[]], [{}], {}, {"x": 1}, {"type": "x"}, {"type": None}, {"text": "x"}, {"index": None}),
    GONE,
]
LONGEST = 100
"""Events of the streams that are looked at."""
each_codec = pytest.mark.parametrize("codec", CODECS, ids=[codec.name for codec in CODECS])


def places(value: object, path: Path = ()) -> Iterator[Path]:
    yield path
    if isinstance(value, dict | list):
        # cast: of JSON
        fields = cast("JSON", value) if isinstance(value, dict) else dict(enumerate(cast("list[object]", value)))
        for key, item in fields.items():
            yield from places(item, (*path, key))


def changed(value: Any, path: Path, other: object) -> Any:  # Any: JSON
    if not path:
        return other
    copy = value.copy()
    if other is GONE and len(path) == 1:
        del copy[path[0]]
    else:
        copy[path[0]] = changed(value[path[0]], path[1:], other)
    return copy


def mutated(answer: Answer, data: st.DataObject) -> Answer:
    place = data.draw(st.integers(0, len(answer) - 1)) if isinstance(answer, list) else 0
    text = answer[place] if isinstance(answer, list) else answer
    if not text.startswith("{"):  # the word that some streams end with
        return answer
    body = json.loads(text)
    path = data.draw(st.sampled_from(list(places(body))))
    other = data.draw(st.sampled_from(WRONG if path else WRONG[:-1]))
    # What JSON has no word for is a number beyond all bounds.
    wrong = json.dumps(changed(body, path, other)).replace("Infinity", "1e999")
    return [*answer[:place], wrong, *answer[place + 1 :]] if isinstance(answer, list) else wrong


@each_codec
@settings(max_examples=120)
@given(data=st.data())
def test_whatever_comes_is_a_reply_or_a_named_error(codec: Codec, data: st.DataObject) -> None:
    answers = [answer for answer in recorded(codec) if isinstance(answer, str) or len(answer) <= LONGEST]
    answer = mutated(data.draw(st.sampled_from(answers)), data)
    ask = ModelRequest([UserPromptPart("Go on.")])
    with suppress(AgentRunError):
        reply = codec.decode(answer)
        stored = ModelMessagesTypeAdapter.dump_json([ask, reply, ask])
        for other in CODECS:
            other.encode(ModelMessagesTypeAdapter.validate_json(stored))
