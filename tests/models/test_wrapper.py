from __future__ import annotations

from copy import copy, deepcopy

import pytest

from agentgraph.messages import TextPart
from agentgraph.models.test import TestModel
from agentgraph.models.wrapper import WrapperModel

from .conversation import asked, streamed

pytestmark = pytest.mark.anyio


async def test_requests_are_handed_on() -> None:
    model = WrapperModel(TestModel(custom_result_text="a b"))
    assert (await asked(model))[0].parts == (await streamed(model)).response.parts == [TextPart("a b")]


def test_names_are_those_of_the_wrapped_model() -> None:
    assert (WrapperModel("test").model_name, WrapperModel("test").system, WrapperModel("test").base_url) == (
        "test",
        "test",
        None,
    )


def test_unknown_attributes_are_looked_up_in_the_wrapped_model() -> None:
    model = WrapperModel(WrapperModel(TestModel(seed=3)))
    assert model.seed == 3
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = model.nothing_like_it


def test_a_wrapper_can_be_copied() -> None:
    model = WrapperModel(TestModel(seed=3))
    assert copy(model).wrapped is model.wrapped
    assert deepcopy(model).seed == 3


def test_a_subclass_overrides_what_it_changes() -> None:
    class Renamed(WrapperModel):
        @property
        def model_name(self) -> str:
            return f"my {super().model_name}"

    assert Renamed("test").model_name == "my test"
