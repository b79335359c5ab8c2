"""The port to a language model: what the agent asks for, and what a model class has to give.

A model is two methods, `request` and `request_stream`, that take the same three arguments: the conversation, the
settings and what may be called. Everything else (retries of tools, limits, storage) happens above, everything of
a service (wire format, keys, HTTP) below.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from agentgraph.exceptions import UserError
from agentgraph.messages import ModelMessage, ModelResponse, ModelResponseStreamEvent
from agentgraph.settings import ModelSettings
from agentgraph.usage import Usage

__all__ = ["Model", "ModelRequestParameters", "ResultFormat", "StreamedResponse", "ToolDefinition"]


@dataclass(slots=True)
class ToolDefinition:
    """A tool as the model sees it. A `prepare` function may change it or make another."""

    name: str
    description: str
    parameters_json_schema: dict[str, Any]  # Any: JSON
    """A JSON schema whose type is object."""
    outer_typed_dict_key: str | None = None
    """The key that a result which is no object was put under; None if it is an object itself."""


@dataclass(frozen=True, slots=True)
class ResultFormat:
    """The JSON that the text of a reply has to be to end the run."""

    mode: Literal["native", "prompted"]
    """Who sees to it: the service, by its own mode for that; or nobody, the model was told in the instructions."""
    name: str
    """What it is called: letters, digits, `_` and `-`."""
    json_schema: dict[str, Any]  # Any: JSON
    """A JSON schema whose type is object."""
    description: str | None = None
    outer_key: str | None = None
    """The key that a result which is no object was put under; None if it is an object itself."""


@dataclass(slots=True)
class ModelRequestParameters:
    """What the model may do in its reply."""

    function_tools: list[ToolDefinition] = field(default_factory=list[ToolDefinition])
    """Tools that it may call to go on."""
    allow_text_result: bool = True
    """Whether text may be the end of the run."""
    result_tools: list[ToolDefinition] = field(default_factory=list[ToolDefinition])
    """Tools that it calls to end the run, the arguments being the result."""
    result_format: ResultFormat | None = None
    """The JSON that text has to be to end the run; None: any text may, if text may at all."""

    @property
    def native_format(self) -> ResultFormat | None:
        """The JSON that the service has to hold the reply to, if that is how the result is asked for."""
        asked = self.result_format
        return asked if asked is not None and asked.mode == "native" else None


class StreamedResponse(ABC):
    """A reply that is still coming. It is read once; a second loop goes on where the first stopped."""

    @abstractmethod
    def __aiter__(self) -> AsyncIterator[ModelResponseStreamEvent]:
        """The events of the reply as they come."""

    @abstractmethod
    def get(self) -> ModelResponse:
        """The reply so far; complete once the events have ended."""

    @abstractmethod
    def usage(self) -> Usage:
        """The usage so far, without the request itself (`requests` is 0)."""

    @property
    @abstractmethod
    def model_name(self) -> str:
        """The model that answers."""

    @property
    @abstractmethod
    def timestamp(self) -> datetime:
        """When the reply was begun, in UTC."""


class Model(ABC):
    """A language model. Objects hold configuration only: one serves any number of runs at once."""

    @abstractmethod
    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> tuple[ModelResponse, Usage]:
        """Ask for a reply; the usage does not count the request itself (`requests` is 0)."""

    def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AbstractAsyncContextManager[StreamedResponse]:
        """Ask for a reply piece by piece; leaving the block closes the connection.

        Raises:
            UserError: the class does not stream.
        """
        msg = f"{type(self).__name__} cannot stream: it does not define request_stream; use `run` instead"
        raise UserError(msg)

    @property
    @abstractmethod
    def model_name(self) -> str:
        """The model's name as its service knows it."""

    @property
    @abstractmethod
    def system(self) -> str:
        """The service, by the name that OpenTelemetry's `gen_ai.system` has for it."""

    @property
    def base_url(self) -> str | None:
        """Where requests go; None if nowhere."""
        return None

    def price_problem(self) -> str | None:
        """Why it is not known what replies cost; None if it is.

        A model class that knows it says so here, and sets `cost` and `priced=1` in the usage of each reply.
        """
        return f"{type(self).__name__} does not tell what its replies cost"
