"""Stands where a model would, in a run that has ended and asks none."""

from __future__ import annotations

from typing import NoReturn

from agentgraph.exceptions import UserError
from agentgraph.messages import ModelMessage
from agentgraph.model import Model, ModelRequestParameters
from agentgraph.settings import ModelSettings

__all__ = ["AbsentModel"]


class AbsentModel(Model):
    """Has the name of a model, and neither its key nor its client."""

    def __init__(self, name: str | None) -> None:
        self._name = name or "none"

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> NoReturn:
        raise UserError("the run has ended: there is no model to ask")

    @property
    def model_name(self) -> str:
        return self._name

    @property
    def system(self) -> str:
        return "none"
