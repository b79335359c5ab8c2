"""Results as JSON, over a real socket: a reply that does not fit, then one that does; plain and streamed."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from agentgraph import Agent, NativeResult, PromptedResult
from agentgraph.models.openai import OpenAIModel
from tests.models.local_server import LocalServer, chat_events, chat_reply, event_reply

pytestmark = pytest.mark.anyio


class City(BaseModel):
    name: str


WRONG, RIGHT = '{"name": 4}', '{"name": "Oslo"}'
AGAIN = event_reply(*chat_events('{"name"', ": 4}"))
DONE = event_reply(*chat_events('{"name":', ' "Oslo"}'))


def agent_at(server: LocalServer, result_type: Any) -> Agent[None, Any]:
    model = OpenAIModel("gpt-4o", api_key="sk-made-up", base_url=server.url)
    return Agent(model, result_type=result_type, system_prompt="Be brief.")


async def test_the_service_is_told_the_schema_in_its_own_field(server: LocalServer) -> None:
    server.script(chat_reply(WRONG), chat_reply(RIGHT))
    result = await agent_at(server, NativeResult(City)).run("Where?")
    assert (result.data, result.usage().requests) == (City(name="Oslo"), 2)
    for request in server.requests:
        assert request.json["response_format"]["json_schema"]["name"] == "City"
    assert [message["role"] for message in server.requests[1].json["messages"]] == [
        *("system", "user", "assistant", "user")
    ]


async def test_the_model_is_told_the_schema_in_its_instructions(server: LocalServer) -> None:
    server.script(chat_reply(WRONG), chat_reply(f"```json\n{RIGHT}\n```"))
    result = await agent_at(server, PromptedResult(City)).run("Where?")
    assert result.data == City(name="Oslo")
    for request in server.requests:
        assert "response_format" not in request.json
        assert '"title":"City"' in request.json["messages"][1]["content"]


@pytest.mark.parametrize("mark", [NativeResult, PromptedResult])
async def test_streams_end_with_the_same_result(server: LocalServer, mark: Any) -> None:
    server.script(AGAIN, DONE)
    async with agent_at(server, mark(City)).run_stream("Where?") as response:
        seen = [city async for city in response.stream(debounce_by=None)]
    assert seen[-1] == City(name="Oslo")
    assert response.usage().requests == 2
