"""A whole agent over a real socket, in every protocol: calls, their answers, texts; plain and streamed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from agentgraph import Agent
from agentgraph.exceptions import UnexpectedModelBehavior
from agentgraph.messages import ModelRequest, ModelResponse, TextPart, ToolCallPart, UserPromptPart
from agentgraph.models.names import protocols
from tests.models.conversation import streamed
from tests.models.local_server import LocalServer, Reply
from tests.models.protocols import PROTOCOLS, Protocol, Said

pytestmark = pytest.mark.anyio

ID, SECOND, THIRD = "abcDEF123", "abcDEF456", "abcDEF789"  # as Mistral has them, which takes no others
CALL = Said(calls=((ID, "Oslo"),))
TEXT = Said(texts=("It is ", "4 degrees."))
each_protocol = pytest.mark.parametrize("protocol", PROTOCOLS, ids=[protocol.name for protocol in PROTOCOLS])


def forecaster(protocol: Protocol, server: LocalServer) -> tuple[Agent[None, str], list[str]]:
    """An agent, and the cities that its tool was asked for."""
    asked: list[str] = []
    agent = Agent(protocol.client(server.url))

    @agent.tool_plain
    def weather(city: str) -> str:
        asked.append(city)
        return f"4 degrees in {city}"

    return agent, asked


def comparable(messages: bytes) -> Any:  # Any: JSON
    """Without times, and with all arguments as objects: some services send those as text in streams alone."""

    def entry(fields: dict[str, Any]) -> dict[str, Any]:  # Any: JSON
        args = fields.get("args")
        parsed = {**fields, "args": json.loads(args)} if isinstance(args, str) else fields
        return {name: value for name, value in parsed.items() if name != "timestamp"}

    return json.loads(messages, object_hook=entry)


def test_every_protocol_is_here() -> None:
    classes = {type(protocol.client("http://127.0.0.1")).__name__ for protocol in PROTOCOLS}
    assert classes == {entry.partition(":")[2] for entry in protocols().values()}


@each_protocol
async def test_plain_and_streamed_runs_end_alike(server: LocalServer, protocol: Protocol) -> None:
    server.script(*map(protocol.plain, (CALL, TEXT)), *map(protocol.streamed, (CALL, TEXT)))
    agent, asked = forecaster(protocol, server)
    plain = await agent.run("Weather in Oslo?")
    async with agent.run_stream("Weather in Oslo?") as response:
        texts = [text async for text in response.stream_text(delta=True, debounce_by=None)]
    assert len(texts) > 1
    assert (plain.data, "".join(texts), asked) == (TEXT.text, TEXT.text, ["Oslo", "Oslo"])
    assert comparable(response.all_messages_json()) == comparable(plain.all_messages_json())
    assert response.usage() == plain.usage()


@each_protocol
async def test_the_answer_to_a_call_reaches_the_service(server: LocalServer, protocol: Protocol) -> None:
    server.script(*map(protocol.plain, (CALL, TEXT)))
    await forecaster(protocol, server)[0].run("Weather in Oslo?")
    second = server.requests[1].body.decode()
    assert "4 degrees" in second
    assert second.count(f'"{ID}"') == 2


@each_protocol
async def test_what_was_cut_off_is_told_without_its_calls(server: LocalServer, protocol: Protocol) -> None:
    server.script(protocol.plain(TEXT))
    cut = ModelResponse([TextPart("I will lo"), ToolCallPart("weather", '{"ci', ID)], state="interrupted")
    asked = ModelRequest([UserPromptPart("Weather in Oslo?")])
    agent, _ = forecaster(protocol, server)
    assert (await agent.run("What now?", message_history=[asked, cut])).data == TEXT.text
    body = server.requests[0].body.decode()
    assert [text in body for text in ("Weather in Oslo?", "I will lo", "What now?", ID)] == [True, True, True, False]


@each_protocol
@pytest.mark.parametrize("way", ["plain", "streamed"])
async def test_several_turns_with_several_calls_use_one_connection(
    server: LocalServer, protocol: Protocol, way: str
) -> None:
    answer: Callable[[Said], Reply] = protocol.plain if way == "plain" else protocol.streamed
    both = Said(calls=((ID, "Oslo"), (SECOND, "Bergen")))
    again = Said(calls=((THIRD, "Rome"),))
    server.script(*map(answer, (both, again, TEXT, CALL, TEXT)))
    agent, asked = forecaster(protocol, server)
    history = None
    for prompt in ("Weather in the north, then in the south?", "And in Oslo now?"):
        if way == "plain":
            result = await agent.run(prompt, message_history=history)
            text, history = result.data, result.all_messages()
        else:
            async with agent.run_stream(prompt, message_history=history) as response:
                text, history = await response.get_data(), response.all_messages()
        assert text == TEXT.text
    assert (sorted(asked[:2]), asked[2:]) == (["Bergen", "Oslo"], ["Rome", "Oslo"])
    assert (len(server.requests), server.connections) == (5, 1)
    last = server.requests[-1].body.decode()
    told = [last.count(f"4 degrees in {city}") for city in ("Oslo", "Bergen", "Rome")]
    assert told == [2, 1, 1]


@each_protocol
async def test_a_stream_without_its_end_is_an_error(server: LocalServer, protocol: Protocol) -> None:
    whole = protocol.streamed(TEXT)
    empty = Reply((b": hello\n\n",) if protocol.name != "bedrock" else (), headers=whole.headers)
    server.script(Reply(whole.chunks[: len(whole.chunks) // 2], headers=whole.headers), empty)
    with pytest.raises(UnexpectedModelBehavior, match="is cut off"):
        await streamed(protocol.client(server.url))
    with pytest.raises(UnexpectedModelBehavior, match="holds no"):
        await streamed(protocol.client(server.url))
