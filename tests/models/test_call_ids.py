from __future__ import annotations

import re

from hypothesis import given, strategies as st

from agentgraph.messages import ToolCallPart
from agentgraph.models.arguments import arguments_of
from agentgraph.models.call_ids import fitted_id

NINE = re.compile(r"[A-Za-z0-9]{9}")


def test_an_id_that_fits_stays() -> None:
    assert fitted_id("abcDEF123", NINE, 9) == "abcDEF123"


@given(st.text())
def test_any_id_is_made_to_fit_and_stays_the_same(call_id: str) -> None:
    assert NINE.fullmatch(fitted_id(call_id, NINE, 9))
    assert fitted_id(call_id, NINE, 9) == fitted_id(call_id, NINE, 9)


def test_arguments_are_an_object_whatever_the_model_wrote() -> None:
    assert arguments_of(ToolCallPart("f", '{"x": 1}')) == {"x": 1}
    assert arguments_of(ToolCallPart("f", "")) == {}
    assert arguments_of(ToolCallPart("f", '{"x": ')) == {"unreadable_json": '{"x": '}
