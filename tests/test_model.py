from __future__ import annotations

import pytest

from agentgraph.exceptions import UserError
from agentgraph.messages import ModelMessage, ModelResponse, TextPart
from agentgraph.model import Model, ModelRequestParameters
from agentgraph.settings import ModelSettings
from agentgraph.usage import Usage


class Mute(Model):
    """The least that a model is."""

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> tuple[ModelResponse, Usage]:
        return ModelResponse([TextPart("")]), Usage()

    @property
    def model_name(self) -> str:
        return "mute"

    @property
    def system(self) -> str:
        return "none"


def test_a_model_that_does_not_stream_says_so() -> None:
    with pytest.raises(UserError, match="Mute cannot stream"):
        Mute().request_stream([], None, ModelRequestParameters())


def test_a_model_has_no_address_unless_it_says_so() -> None:
    assert Mute().base_url is None


def test_by_default_text_is_all_that_is_allowed() -> None:
    assert ModelRequestParameters() == ModelRequestParameters([], allow_text_result=True, result_tools=[])
