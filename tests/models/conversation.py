"""What tests of models ask a model."""

from __future__ import annotations

from dataclasses import dataclass

from agentgraph.messages import ModelMessage, ModelRequest, ModelResponse, ModelResponseStreamEvent, UserPromptPart
from agentgraph.model import Model, ModelRequestParameters, ToolDefinition
from agentgraph.usage import Usage

HELLO: list[ModelMessage] = [ModelRequest([UserPromptPart("Hello")])]


def tool(name: str, **properties: object) -> ToolDefinition:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return ToolDefinition(name, f"The tool {name}.", schema)


def tools(*names: str) -> ModelRequestParameters:
    return ModelRequestParameters([tool(name, x={"type": "integer"}) for name in names])


@dataclass
class Streamed:
    events: list[ModelResponseStreamEvent]
    response: ModelResponse
    usage: Usage


async def asked(
    model: Model, messages: list[ModelMessage] = HELLO, parameters: ModelRequestParameters | None = None
) -> tuple[ModelResponse, Usage]:
    return await model.request(messages, None, parameters or ModelRequestParameters())


async def streamed(
    model: Model, messages: list[ModelMessage] = HELLO, parameters: ModelRequestParameters | None = None
) -> Streamed:
    async with model.request_stream(messages, None, parameters or ModelRequestParameters()) as response:
        events = [event async for event in response]
        return Streamed(events, response.get(), response.usage())
