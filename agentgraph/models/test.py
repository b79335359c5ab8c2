"""A model that makes its replies up from the schemas it is given: an agent runs through, with no network."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal, cast

from pydantic_core import to_json

from agentgraph.exceptions import UserError
from agentgraph.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    RetryPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
)
from agentgraph.model import Model, ModelRequestParameters, ResultFormat, StreamedResponse, ToolDefinition
from agentgraph.settings import ModelSettings
from agentgraph.usage import Usage

from .guess import guess_usage
from .replay import ReplayedResponse
from .schema_data import made_up

__all__ = ["TestModel"]


class TestModel(Model):
    """Calls every tool once, calls again what asks for a retry, then answers.

    The first reply of a conversation calls the tools, all at once, with made-up arguments. The answer is
    `custom_result_text`, else `custom_result_args` for a result tool, else, where text is allowed, the tools' returns
    as JSON, else made-up arguments for a result tool. Usage is guessed.

    Args:
        call_tools: The names of the tools to call, or all.
        custom_result_text: The answer as text.
        custom_result_args: The answer as the value of the result tool's arguments, or as the JSON that is asked for,
            without an outer `response`.
        seed: Shifts the made-up values, and chooses the result tool and the members of unions.
    """

    __test__ = False  # no test case, whatever its name makes pytest think

    last_model_request_parameters: ModelRequestParameters | None
    """What the latest request allowed; None before the first."""

    def __init__(
        self,
        *,
        call_tools: Sequence[str] | Literal["all"] = "all",
        custom_result_text: str | None = None,
        custom_result_args: object = None,
        seed: int = 0,
    ) -> None:
        self.call_tools = call_tools
        self.custom_result_text = custom_result_text
        self.custom_result_args = custom_result_args
        self.seed = seed
        self.last_model_request_parameters = None

    @property
    def model_name(self) -> str:
        return "test"

    @property
    def system(self) -> str:
        return "test"

    def price_problem(self) -> str | None:
        return None  # it costs nothing, so that programs with a `cost_limit` can be tested

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> tuple[ModelResponse, Usage]:
        reply = self._reply(messages, model_request_parameters)
        return reply, guess_usage(messages, reply.parts)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AsyncGenerator[StreamedResponse, None]:
        yield ReplayedResponse(self._reply(messages, model_request_parameters), messages, self.model_name)

    def _reply(self, messages: list[ModelMessage], parameters: ModelRequestParameters) -> ModelResponse:
        self.last_model_request_parameters = parameters
        tools = self._tools(parameters.function_tools)
        parts: list[ModelResponsePart]
        if tools and all(isinstance(message, ModelRequest) for message in messages):
            parts = [self._call(tool) for tool in tools]
        else:
            parts = self._again(messages, tools, parameters.result_tools) or [self._answer(messages, parameters)]
        return ModelResponse(parts, self.model_name)

    def _tools(self, tools: list[ToolDefinition]) -> list[ToolDefinition]:
        if self.call_tools == "all":
            return tools
        by_name = {tool.name: tool for tool in tools}
        unknown = [name for name in self.call_tools if name not in by_name]
        if unknown:
            raise UserError(
                f"TestModel(call_tools=...) names {', '.join(map(repr, unknown))}; "
                f"the tools are {', '.join(map(repr, by_name)) or 'none'}"
            )
        return [by_name[name] for name in self.call_tools]

    def _again(
        self, messages: list[ModelMessage], tools: list[ToolDefinition], result_tools: list[ToolDefinition]
    ) -> list[ModelResponsePart]:
        """Calls of the tools that the last request complains about."""
        parts = messages[-1].parts if messages else []
        names = {part.tool_name for part in parts if isinstance(part, RetryPromptPart)}
        return [
            *(self._call(tool) for tool in tools if tool.name in names),
            *(self._result(tool) for tool in result_tools if tool.name in names),
        ]

    def _answer(self, messages: list[ModelMessage], parameters: ModelRequestParameters) -> ModelResponsePart:
        if self.custom_result_text is not None:
            if not parameters.allow_text_result:
                raise UserError("TestModel has a custom_result_text, but the agent takes no text as result")
            return TextPart(self.custom_result_text)
        if parameters.result_format is not None:
            return self._json(parameters.result_format)
        result_tools = parameters.result_tools
        if self.custom_result_args is not None and not result_tools:
            raise UserError("TestModel has custom_result_args, but the agent has no result tool")
        if result_tools and (self.custom_result_args is not None or not parameters.allow_text_result):
            return self._result(result_tools[self.seed % len(result_tools)])
        return TextPart(_returns(messages))

    def _json(self, wanted: ResultFormat) -> TextPart:
        value = self.custom_result_args
        if value is None:
            value = self._made_up(wanted.json_schema, "a result")
        elif wanted.outer_key is not None:
            value = {wanted.outer_key: value}
        return TextPart(to_json(value).decode())

    def _result(self, tool: ToolDefinition) -> ToolCallPart:
        args = self.custom_result_args
        if args is None:
            return self._call(tool)
        if tool.outer_typed_dict_key is not None:
            return ToolCallPart(tool.name, {tool.outer_typed_dict_key: args})
        if isinstance(args, dict):
            return ToolCallPart(tool.name, cast("dict[str, Any]", args))  # Any: JSON
        return ToolCallPart(tool.name, args if isinstance(args, str) else to_json(args).decode())

    def _call(self, tool: ToolDefinition) -> ToolCallPart:
        return ToolCallPart(tool.name, self._made_up(tool.parameters_json_schema, f"arguments of {tool.name!r}"))

    def _made_up(self, schema: dict[str, Any], what: str) -> Any:  # Any: JSON
        try:
            return made_up(schema, self.seed)
        except UserError as error:
            raise UserError(f"TestModel cannot make up {what}: {error}") from error


def _returns(messages: list[ModelMessage]) -> str:
    returns = {
        part.tool_name: part.content
        for message in messages
        if isinstance(message, ModelRequest)
        for part in message.parts
        if isinstance(part, ToolReturnPart)
    }
    return to_json(returns, bytes_mode="base64").decode() if returns else "success (no tool calls)"
