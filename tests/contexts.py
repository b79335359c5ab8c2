"""A run context for tests that need no run."""

from __future__ import annotations

from typing_extensions import TypeVar

from agentgraph.context import RunContext
from agentgraph.messages import ModelMessage, ModelResponse, TextPart
from agentgraph.model import Model, ModelRequestParameters
from agentgraph.settings import ModelSettings
from agentgraph.usage import Usage

T = TypeVar("T")


class SilentModel(Model):
    """A model that has nothing to say."""

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> tuple[ModelResponse, Usage]:
        return ModelResponse([TextPart("")]), Usage()

    @property
    def model_name(self) -> str:
        return "silent"

    @property
    def system(self) -> str:
        return "test"


def context(deps: T) -> RunContext[T]:
    return RunContext(deps, SilentModel(), Usage(), "a prompt")
