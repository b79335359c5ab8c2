"""The client of Anthropic's protocol over a real socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest

from agentgraph.exceptions import ModelHTTPError, UnexpectedModelBehavior, UserError
from agentgraph.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, UserPromptPart
from agentgraph.model import ModelRequestParameters
from agentgraph.models import override_allow_model_requests
from agentgraph.models.anthropic import AnthropicModel, AnthropicModelSettings
from agentgraph.providers.anthropic import AnthropicProvider
from agentgraph.usage import Usage
from tests.models.anthropic_service import call, message, streamed, text, thought
from tests.models.conftest import AT_ONCE, KEY
from tests.models.local_server import LocalServer, Reply, event_reply, json_reply
from tests.models.loops import ANSWER, check_plain, check_streamed

pytestmark = pytest.mark.anyio
Read: TypeAlias = Callable[[AnthropicModel], Awaitable[tuple[ModelResponse, Usage]]]

PROMPT: list[ModelMessage] = [ModelRequest([UserPromptPart("Hello")])]
ASK = ModelRequestParameters()
CALLING = message(thought("hm"), call("weather", {"city": "Oslo"}), stop_reason="tool_use")
ANSWERING = message(text(ANSWER))
HI = streamed(message(text("Hi")), size=1)


@pytest.fixture
def claude(server: LocalServer) -> AnthropicModel:
    provider = AnthropicProvider(api_key=KEY, base_url=server.url, max_retries=AT_ONCE)
    return AnthropicModel("claude-sonnet-4-5", provider=provider)


async def stream_of(model: AnthropicModel) -> str:
    async with model.request_stream(PROMPT, None, ASK) as reply:
        async for _ in reply:
            pass
        return "".join(part.content for part in reply.get().parts if isinstance(part, TextPart))


def events(*all_of_them: object, cut: bool = False, stall: bool = False) -> Reply:
    return event_reply(*all_of_them, done=False, cut=cut, stall=stall)


async def test_an_agent_gets_its_answer(server: LocalServer, claude: AnthropicModel) -> None:
    await check_plain(claude, server, json_reply(CALLING), json_reply(ANSWERING))
    [_, second] = server.requests
    assert second.json["messages"][1]["content"][0] == thought("hm")


async def test_an_agent_gets_its_answer_streamed(server: LocalServer, claude: AnthropicModel) -> None:
    await check_streamed(claude, server, events(*streamed(CALLING)), events(*streamed(ANSWERING)))
    assert [received.json["stream"] for received in server.requests] == [True, True]
    assert server.requests[1].json["messages"][1]["content"][0] == thought("hm")


async def test_plain_and_streamed_replies_are_equal(server: LocalServer, claude: AnthropicModel) -> None:
    server.script(json_reply(ANSWERING), events(*streamed(ANSWERING)))
    plain, usage = await claude.request(PROMPT, None, ASK)
    async with claude.request_stream(PROMPT, None, ASK) as stream:
        async for _ in stream:
            pass
    assert (stream.get().parts, stream.usage()) == (plain.parts, usage)
    assert stream.model_name == plain.model_name
    assert stream.timestamp == stream.get().timestamp


async def test_the_request_names_key_version_and_features(server: LocalServer, claude: AnthropicModel) -> None:
    server.script(json_reply(ANSWERING))
    settings = AnthropicModelSettings(anthropic_betas=["context-1m"], extra_headers={"x-team": "blue"})
    await claude.request(PROMPT, settings, ASK)
    [received] = server.requests
    assert received.path == "/v1/messages"
    wanted = {"x-api-key": KEY, "anthropic-version": "2026-10-21", "anthropic-beta": "context-1m", "x-team": "blue"}
    assert wanted.items() <= received.headers.items()


async def test_a_refusal_is_an_error(server: LocalServer, claude: AnthropicModel) -> None:
    server.script(json_reply({"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}, 400))
    with pytest.raises(ModelHTTPError, match="invalid_request_error") as raised:
        await claude.request(PROMPT, None, ASK)
    assert (raised.value.status_code, len(server.requests)) == (400, 1)


async def test_an_overload_is_tried_again(server: LocalServer, claude: AnthropicModel) -> None:
    server.script(json_reply({}, 529), events(*HI))
    assert await stream_of(claude) == "Hi"


async def test_an_error_inside_a_stream_is_raised(server: LocalServer, claude: AnthropicModel) -> None:
    server.script(events(*HI[:3], {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}))
    with pytest.raises(ModelHTTPError, match="busy") as raised:
        await stream_of(claude)
    assert raised.value.status_code == 529


@pytest.mark.parametrize("count", range(len(HI) - 2))
async def test_a_stream_without_an_end_is_an_error(server: LocalServer, claude: AnthropicModel, count: int) -> None:
    server.script(events(*HI[:count]))
    with pytest.raises(UnexpectedModelBehavior, match=r"cut off|no message"):
        await stream_of(claude)


async def test_what_comes_after_the_end_is_ignored(server: LocalServer, claude: AnthropicModel) -> None:
    server.script(events(*HI, {"type": "error", "error": {}}, stall=True))
    assert await stream_of(claude) == "Hi"


async def test_leaving_early_keeps_what_had_come(server: LocalServer, claude: AnthropicModel) -> None:
    server.script(events(*HI[:3], stall=True))
    async with claude.request_stream(PROMPT, None, ASK) as stream:
        async for _ in stream:
            break
    assert stream.get().parts == [TextPart("H")]


SEARCH = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "Oslo"}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"encrypted_content": "x"}]}
TURNS = [
    message(text("Let me see. "), SEARCH, stop_reason="pause_turn", container={"id": "c1"}),
    message(FOUND, stop_reason="pause_turn", container={"id": "c1"}),
    message(text("Rain.")),
]


async def whole(claude: AnthropicModel) -> tuple[ModelResponse, Usage]:
    return await claude.request(PROMPT, None, ASK)


async def pieces(claude: AnthropicModel) -> tuple[ModelResponse, Usage]:
    async with claude.request_stream(PROMPT, None, ASK) as reply:
        async for _ in reply:
            pass
        return reply.get(), reply.usage()


@pytest.mark.parametrize("read", [whole, pieces])
async def test_a_reply_that_was_paused_goes_on(server: LocalServer, claude: AnthropicModel, read: Read) -> None:
    server.script(*(json_reply(turn) if read is whole else events(*streamed(turn)) for turn in TURNS))
    reply, usage = await read(claude)
    assert [part.part_kind for part in reply.parts] == ["text", "native-tool-call", "native-tool-return", "text"]
    assert (reply.finish_reason, usage.request_tokens, usage.response_tokens) == ("stop", 9, 6)
    assert "stop_reason" not in (reply.provider_details or {})
    first, *others = (received.json for received in server.requests)
    assert "container" not in first
    assert [other["container"] for other in others] == ["c1", "c1"]
    sent = [other["messages"][1:] for other in others]
    said = [text("Let me see. "), SEARCH]
    assert sent == [[{"role": "assistant", "content": content}] for content in (said, [*said, FOUND])]


@pytest.mark.parametrize("read", [whole, pieces])
async def test_a_reply_is_not_paused_for_ever(server: LocalServer, claude: AnthropicModel, read: Read) -> None:
    server.script(json_reply(TURNS[0]) if read is whole else events(*streamed(TURNS[0])))
    reply, _ = await read(claude)
    assert len(server.requests) == 16
    assert (reply.provider_details or {})["stop_reason"] == "pause_turn"


async def test_a_turn_that_is_cut_off_is_an_error(server: LocalServer, claude: AnthropicModel) -> None:
    server.script(events(*streamed(TURNS[0])), events(*streamed(TURNS[2])[:-2]))
    with pytest.raises(UnexpectedModelBehavior, match="cut off"):
        await pieces(claude)


async def test_requests_can_be_forbidden(server: LocalServer, claude: AnthropicModel) -> None:
    with override_allow_model_requests(False):
        with pytest.raises(UserError, match="ALLOW_MODEL_REQUESTS"):
            await claude.request(PROMPT, None, ASK)
        with pytest.raises(UserError, match="ALLOW_MODEL_REQUESTS"):
            await stream_of(claude)
    assert server.requests == []
