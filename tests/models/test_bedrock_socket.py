"""The client of Bedrock over a real socket, its signatures checked."""

from __future__ import annotations

import pytest

from agentgraph.exceptions import ModelHTTPError, UnexpectedModelBehavior, UserError
from agentgraph.messages import ModelMessage, ModelRequest, TextPart, UserPromptPart
from agentgraph.model import ModelRequestParameters
from agentgraph.models import override_allow_model_requests
from agentgraph.models.bedrock import BedrockConverseModel
from agentgraph.providers.bedrock import BedrockProvider
from tests.models.bedrock_service import (
    call,
    converse,
    exception_frame,
    frames_reply,
    is_signed,
    thought,
    whole_frames,
)
from tests.models.conftest import AT_ONCE, KEY
from tests.models.local_server import LocalServer, Reply, event_reply, json_reply
from tests.models.loops import ANSWER, check_plain, check_streamed

pytestmark = pytest.mark.anyio

PROMPT: list[ModelMessage] = [ModelRequest([UserPromptPart("Hello")])]
ASK = ModelRequestParameters()
CALLING = converse(thought("hm"), call("weather", {"city": "Oslo"}), stopReason="tool_use")
ANSWERING = converse({"text": ANSWER})
HI = whole_frames(converse({"text": "Hi"}))


@pytest.fixture
def claude(server: LocalServer) -> BedrockConverseModel:
    provider = BedrockProvider(
        region_name="eu-west-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key=KEY,
        base_url=server.url,
        max_retries=AT_ONCE,
    )
    return BedrockConverseModel("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", provider=provider)


async def stream_of(model: BedrockConverseModel) -> str:
    async with model.request_stream(PROMPT, None, ASK) as reply:
        async for _ in reply:
            pass
        return "".join(part.content for part in reply.get().parts if isinstance(part, TextPart))


async def test_an_agent_gets_its_answer(server: LocalServer, claude: BedrockConverseModel) -> None:
    await check_plain(claude, server, json_reply(CALLING), json_reply(ANSWERING))
    assert all(is_signed(received, KEY, "eu-west-1") for received in server.requests)
    assert server.requests[1].json["messages"][1]["content"][0] == thought("hm")


async def test_an_agent_gets_its_answer_streamed(server: LocalServer, claude: BedrockConverseModel) -> None:
    await check_streamed(claude, server, frames_reply(*whole_frames(CALLING)), frames_reply(*whole_frames(ANSWERING)))
    assert all(is_signed(received, KEY, "eu-west-1") for received in server.requests)
    assert server.requests[1].json["messages"][1]["content"][0] == thought("hm")


async def test_plain_and_streamed_replies_are_equal(server: LocalServer, claude: BedrockConverseModel) -> None:
    server.script(json_reply(ANSWERING), frames_reply(*whole_frames(ANSWERING)))
    plain, usage = await claude.request(PROMPT, None, ASK)
    async with claude.request_stream(PROMPT, None, ASK) as stream:
        async for _ in stream:
            pass
    assert (stream.get().parts, stream.usage()) == (plain.parts, usage)
    assert stream.model_name == plain.model_name


async def test_the_path_names_the_model(server: LocalServer, claude: BedrockConverseModel) -> None:
    server.script(json_reply(ANSWERING))
    await claude.request(PROMPT, {"extra_headers": {"x-team": "blue"}}, ASK)
    [received] = server.requests
    assert received.path == "/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"
    assert received.headers["x-team"] == "blue"
    assert received.json == {"messages": [{"role": "user", "content": [{"text": "Hello"}]}]}


async def test_a_refusal_is_an_error(server: LocalServer, claude: BedrockConverseModel) -> None:
    server.script(json_reply({"message": "The provided model identifier is invalid."}, 400))
    with pytest.raises(ModelHTTPError, match="model identifier"):
        await claude.request(PROMPT, None, ASK)


async def test_each_try_is_signed_anew(server: LocalServer, claude: BedrockConverseModel) -> None:
    server.script(json_reply({}, 503), Reply(silent=True), frames_reply(*HI))
    assert await stream_of(claude) == "Hi"
    assert [is_signed(received, KEY, "eu-west-1") for received in server.requests] == [True] * 3


async def test_an_exception_inside_a_stream_is_raised(server: LocalServer, claude: BedrockConverseModel) -> None:
    server.script(frames_reply(*HI[:2], exception_frame("throttlingException", "slow down")))
    with pytest.raises(ModelHTTPError, match="slow down") as raised:
        await stream_of(claude)
    assert raised.value.status_code == 429


@pytest.mark.parametrize("count", range(len(HI) - 2))
async def test_a_stream_without_an_end_is_an_error(
    server: LocalServer, claude: BedrockConverseModel, count: int
) -> None:
    server.script(frames_reply(*HI[:count]))
    with pytest.raises(UnexpectedModelBehavior, match=r"cut off|no message"):
        await stream_of(claude)


async def test_a_damaged_stream_is_an_error(server: LocalServer, claude: BedrockConverseModel) -> None:
    server.script(frames_reply(*HI[:2], b"\x00" * 20))
    with pytest.raises(UnexpectedModelBehavior, match="damaged"):
        await stream_of(claude)


async def test_other_events_are_no_reply(server: LocalServer, claude: BedrockConverseModel) -> None:
    server.script(event_reply({}))
    with pytest.raises(UnexpectedModelBehavior, match=r"instead of vnd\.amazon\.eventstream"):
        await stream_of(claude)


async def test_what_comes_after_the_end_is_ignored(server: LocalServer, claude: BedrockConverseModel) -> None:
    server.script(frames_reply(*HI, exception_frame("internalServerException", "x"), stall=True))
    assert await stream_of(claude) == "Hi"


async def test_leaving_early_keeps_what_had_come(server: LocalServer, claude: BedrockConverseModel) -> None:
    server.script(frames_reply(*HI[:2], stall=True))
    async with claude.request_stream(PROMPT, None, ASK) as stream:
        async for _ in stream:
            break
    assert stream.get().parts == [TextPart("Hi")]


async def test_requests_can_be_forbidden(server: LocalServer, claude: BedrockConverseModel) -> None:
    with override_allow_model_requests(False):
        with pytest.raises(UserError, match="ALLOW_MODEL_REQUESTS"):
            await claude.request(PROMPT, None, ASK)
        with pytest.raises(UserError, match="ALLOW_MODEL_REQUESTS"):
            await stream_of(claude)
    assert server.requests == []
