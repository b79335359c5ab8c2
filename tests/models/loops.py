"""The whole way of an agent: asked over a real socket, it calls a tool and answers."""

from __future__ import annotations

from agentgraph import Agent
from agentgraph.messages import ModelResponse, ToolCallPart
from agentgraph.model import Model
from tests.models.local_server import LocalServer, Reply

QUESTION, ANSWER = "Weather in Oslo?", "Rain, 4 degrees."


def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"rain in {city}, 4 degrees"


async def check_plain(model: Model, server: LocalServer, *replies: Reply) -> None:
    """An agent gets its answer out of two replies: a call of `weather`, and `ANSWER`."""
    server.script(*replies)
    result = await Agent(model, tools=[weather]).run(QUESTION)
    assert result.data == ANSWER
    assert result.usage().requests == 2
    _check(server, [message for message in result.all_messages() if isinstance(message, ModelResponse)])


async def check_streamed(model: Model, server: LocalServer, *replies: Reply) -> None:
    """The same, streamed."""
    server.script(*replies)
    async with Agent(model, tools=[weather]).run_stream(QUESTION) as response:
        pieces = [piece async for piece in response.stream_text(delta=True, debounce_by=None)]
        assert await response.get_data() == ANSWER
    assert len(pieces) > 1
    assert "".join(pieces) == ANSWER
    _check(server, [message for message in response.all_messages() if isinstance(message, ModelResponse)])


def _check(server: LocalServer, replies: list[ModelResponse]) -> None:
    assert [part.args_as_dict() for part in replies[0].parts if isinstance(part, ToolCallPart)] == [{"city": "Oslo"}]
    assert [reply.finish_reason for reply in replies] == ["tool_call", "stop"]
    first, second = server.requests
    assert b"rain in Oslo, 4 degrees" not in first.body
    assert b"rain in Oslo, 4 degrees" in second.body
    assert server.connections == 1
