"""The chat client over a real socket, with a service that misbehaves in every way."""

from __future__ import annotations

import json

import anyio
import pytest

from agentgraph.exceptions import ModelHTTPError, UnexpectedModelBehavior, UserError
from agentgraph.messages import ModelMessage, ModelRequest, PartStartEvent, TextPart, ToolCallPart, UserPromptPart
from agentgraph.model import ModelRequestParameters, StreamedResponse, ToolDefinition
from agentgraph.models import override_allow_model_requests
from agentgraph.models.openai import OpenAIModel
from agentgraph.models.openai_settings import OpenAIModelSettings
from agentgraph.providers import RetrySettings
from agentgraph.providers.openai import OpenAIProvider
from tests.models.conftest import KEY
from tests.models.local_server import LocalServer, Reply, chat_events, chat_reply, event_reply, json_reply

pytestmark = pytest.mark.anyio

PROMPT: list[ModelMessage] = [ModelRequest([UserPromptPart("Hello")])]
ASK = ModelRequestParameters()


async def stream_of(model: OpenAIModel) -> str:
    async with model.request_stream(PROMPT, None, ASK) as reply:
        async for _ in reply:
            pass
        return "".join(part.content for part in reply.get().parts if isinstance(part, TextPart))


async def follow(model: OpenAIModel, seen: list[StreamedResponse], patience: float = 10) -> None:
    """Read a stream that is handed out as soon as it is there."""
    async with model.request_stream(PROMPT, {"timeout": patience}, ASK) as stream:
        seen.append(stream)
        async for _ in stream:
            pass


async def test_a_plain_request_is_answered(server: LocalServer, model: OpenAIModel) -> None:
    server.script(chat_reply("Hi."))
    reply, usage = await model.request(PROMPT, None, ASK)
    assert reply.parts == [TextPart("Hi.")]
    assert (reply.model_name, reply.finish_reason, usage.total_tokens) == ("gpt-4o-2024-08-06", "stop", 5)
    [received] = server.requests
    assert received.path == "/v1/chat/completions"
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert received.json["messages"] == [{"role": "user", "content": "Hello"}]


async def test_plain_and_streamed_replies_are_equal(server: LocalServer, model: OpenAIModel) -> None:
    server.script(chat_reply("Hi there."), event_reply(*chat_events("Hi", " there.")))
    plain, plain_usage = await model.request(PROMPT, None, ASK)
    async with model.request_stream(PROMPT, None, ASK) as stream:
        events = [event async for event in stream]
    assert (stream.get(), stream.usage()) == (plain, plain_usage)
    assert (stream.model_name, stream.timestamp) == (plain.model_name, plain.timestamp)
    assert events[0] == PartStartEvent(0, TextPart("Hi"))
    assert server.requests[1].json["stream_options"] == {"include_usage": True}


async def test_tool_calls_are_streamed(server: LocalServer, model: OpenAIModel) -> None:
    first = {"index": 0, "id": "call_1", "function": {"name": "weather", "arguments": ""}}
    pieces = [first, *({"index": 0, "function": {"arguments": text}} for text in ('{"city":', '"Oslo"}'))]
    deltas = [{"choices": [{"delta": {"tool_calls": [piece]}}]} for piece in pieces]
    server.script(event_reply(*deltas, {"choices": [{"finish_reason": "tool_calls"}]}))
    tool = ToolDefinition("weather", "Tells it.", {"type": "object", "properties": {}})
    async with model.request_stream(PROMPT, None, ModelRequestParameters([tool])) as stream:
        async for _ in stream:
            pass
    assert stream.get().parts == [ToolCallPart("weather", '{"city":"Oslo"}', "call_1")]
    assert stream.get().finish_reason == "tool_call"


async def test_a_connection_is_used_again(server: LocalServer, model: OpenAIModel) -> None:
    server.script(chat_reply(), event_reply(*chat_events("Hi")), chat_reply())
    await model.request(PROMPT, None, ASK)
    await stream_of(model)
    await model.request(PROMPT, None, ASK)
    assert (len(server.requests), server.connections) == (3, 1)


async def test_extra_headers_and_body_are_sent(server: LocalServer, model: OpenAIModel) -> None:
    server.script(chat_reply())
    settings = OpenAIModelSettings(extra_headers={"x-team": "blue"}, extra_body={"n": 1}, openai_user="u1")
    await model.request(PROMPT, settings, ASK)
    [received] = server.requests
    assert received.headers["x-team"] == "blue"
    assert (received.json["n"], received.json["user"]) == (1, "u1")


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
async def test_a_passing_failure_is_tried_again(server: LocalServer, model: OpenAIModel, status: int) -> None:
    server.script(json_reply({}, status, retry_after="30"), Reply(silent=True), chat_reply("At last."))
    reply, _ = await model.request(PROMPT, None, ASK)
    assert reply.parts == [TextPart("At last.")]
    assert len(server.requests) == 3


async def test_a_stream_is_tried_again_before_its_first_byte(server: LocalServer, model: OpenAIModel) -> None:
    server.script(json_reply({}, 503), event_reply(done=False, cut=True), event_reply(*chat_events("Hi")))
    assert await stream_of(model) == "Hi"


async def test_a_stream_is_not_tried_again_after_its_first_byte(server: LocalServer, model: OpenAIModel) -> None:
    server.script(event_reply(*chat_events("Hi")[:1], done=False, cut=True), event_reply(*chat_events("Hi")))
    with pytest.raises(UnexpectedModelBehavior, match="cut off"):
        await stream_of(model)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 422])
async def test_a_refusal_is_not_tried_again(server: LocalServer, model: OpenAIModel, status: int) -> None:
    server.script(json_reply({"error": {"message": "no"}}, status))
    with pytest.raises(ModelHTTPError) as raised:
        await model.request(PROMPT, None, ASK)
    assert (raised.value.status_code, raised.value.model_name) == (status, "gpt-4o")
    assert raised.value.body == {"error": {"message": "no"}}
    assert len(server.requests) == 1


async def test_retries_end(server: LocalServer, model: OpenAIModel) -> None:
    server.script(json_reply("busy", 429))
    with pytest.raises(ModelHTTPError, match="429"):
        await stream_of(model)
    assert len(server.requests) == 3


async def test_waiting_honours_the_service_up_to_a_bound(server: LocalServer) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    patient = RetrySettings(max_retries=3, first_delay=0, longest_retry_after=20, sleep=sleep)
    model = OpenAIModel("gpt-4o", provider=OpenAIProvider(api_key=KEY, base_url=server.url, max_retries=patient))
    past = "Wed, 21 Oct 2015 07:28:00 GMT"
    failures = [json_reply({}, 429, retry_after=value) for value in ("1.5", "3600", past)]
    server.script(*failures, chat_reply())
    await model.request(PROMPT, None, ASK)
    assert waits == [1.5, 20, 0]


async def test_redirects_are_refused(server: LocalServer, model: OpenAIModel) -> None:
    server.script(Reply(status=307, headers={"location": f"{server.url}/elsewhere"}))
    with pytest.raises(ModelHTTPError, match="redirected, which is refused"):
        await model.request(PROMPT, None, ASK)
    assert len(server.requests) == 1


async def test_a_page_is_no_reply(server: LocalServer, model: OpenAIModel) -> None:
    server.script(Reply((b"<h1>Log in</h1>",), headers={"content-type": "text/html"}))
    with pytest.raises(UnexpectedModelBehavior, match="text/html") as raised:
        await model.request(PROMPT, None, ASK)
    assert raised.value.body == "<h1>Log in</h1>"
    with pytest.raises(UnexpectedModelBehavior, match="instead of event-stream"):
        await stream_of(model)


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"choices": 3}', b'{"choices": []}', b"{}", b'{"id": "\xff"}', b"null", b""]
)
async def test_what_is_no_reply_is_an_error(server: LocalServer, model: OpenAIModel, body: bytes) -> None:
    server.script(Reply((body,) if body else (), headers={"content-type": "application/json"}))
    with pytest.raises(UnexpectedModelBehavior) as raised:
        await model.request(PROMPT, None, ASK)
    assert raised.value.body is not None


@pytest.mark.parametrize("event", ["{", "[]", '{"choices": 3}', '{"choices": [{"delta": 1}]}'])
async def test_an_event_that_is_none_is_an_error(server: LocalServer, model: OpenAIModel, event: str) -> None:
    server.script(event_reply(event))
    with pytest.raises(UnexpectedModelBehavior, match="malformed") as raised:
        await stream_of(model)
    assert raised.value.body is not None


async def test_an_event_stream_has_to_be_text(server: LocalServer, model: OpenAIModel) -> None:
    server.script(Reply((b"data: \xff\n\n",), headers={"content-type": "text/event-stream"}))
    with pytest.raises(UnexpectedModelBehavior, match="UTF-8"):
        await stream_of(model)


async def test_a_stream_without_an_end_is_an_error(server: LocalServer, model: OpenAIModel) -> None:
    server.script(event_reply(*chat_events("Hi")[:1], done=False))
    with pytest.raises(UnexpectedModelBehavior, match="cut off") as raised:
        await stream_of(model)
    assert "Hi" in (raised.value.body or "")


@pytest.mark.parametrize("events", [chat_events("Hi")[:-1], chat_events("Hi")])
async def test_a_stream_may_end_without_done(server: LocalServer, model: OpenAIModel, events: list[object]) -> None:
    server.script(event_reply(*events, done=False))
    assert await stream_of(model) == "Hi"


async def test_a_stream_may_end_without_a_reason(server: LocalServer, model: OpenAIModel) -> None:
    server.script(event_reply(*chat_events("Hi")[:1]))
    assert await stream_of(model) == "Hi"


async def test_a_stream_without_choices_is_an_error(server: LocalServer, model: OpenAIModel) -> None:
    server.script(event_reply({"choices": []}))
    with pytest.raises(UnexpectedModelBehavior, match="no choices"):
        await stream_of(model)


async def test_what_comes_after_done_is_ignored(server: LocalServer, model: OpenAIModel) -> None:
    server.script(event_reply(*chat_events("Hi"), "[DONE]", {"choices": 3}, stall=True))
    assert await stream_of(model) == "Hi"


async def test_what_comes_with_done_is_ignored(server: LocalServer, model: OpenAIModel) -> None:
    reply = event_reply(*chat_events("Hi"), "[DONE]", {"choices": 3})
    server.script(Reply((b"".join(reply.chunks),), headers=reply.headers))
    assert await stream_of(model) == "Hi"


async def test_comments_and_unknown_fields_are_ignored(server: LocalServer, model: OpenAIModel) -> None:
    odd = b": keep-alive\r\n\r\nevent: ping\r\n\r\nretry: 5\r\nfoo: bar\r\n"
    odd += b'data: {"new": 1, "choices": [{"delta": {"sound": {}}}]}\r\n\r\n'
    reply = event_reply(*chat_events("Hi"))
    server.script(Reply((odd, *reply.chunks), headers=reply.headers))
    assert await stream_of(model) == "Hi"


async def test_an_error_inside_a_stream_is_raised(server: LocalServer, model: OpenAIModel) -> None:
    server.script(event_reply(*chat_events("Hi")[:1], {"error": {"code": 502, "message": "gone"}}))
    with pytest.raises(ModelHTTPError, match="gone") as raised:
        await stream_of(model)
    assert raised.value.status_code == 502


async def test_an_error_without_a_status_is_raised(server: LocalServer, model: OpenAIModel) -> None:
    server.script(json_reply({"error": {"code": "server_error"}}))
    with pytest.raises(UnexpectedModelBehavior, match="error instead of a reply") as raised:
        await model.request(PROMPT, None, ASK)
    assert "server_error" in (raised.value.body or "")


async def test_a_stall_ends_by_timeout(server: LocalServer, model: OpenAIModel) -> None:
    server.script(event_reply(*chat_events("Hi")[:1], done=False, stall=True))
    seen: list[StreamedResponse] = []
    with pytest.raises(UnexpectedModelBehavior, match="took too long"):
        await follow(model, seen, patience=0.05)
    assert seen[0].get().parts == [TextPart("Hi")]


async def test_leaving_early_closes_the_connection(server: LocalServer, model: OpenAIModel) -> None:
    server.script(event_reply(*chat_events("Hi")[:1], done=False, stall=True))
    async with model.request_stream(PROMPT, None, ASK) as stream:
        async for _ in stream:
            break
    assert stream.get().parts == [TextPart("Hi")]


async def test_a_cancelled_stream_keeps_what_had_come(server: LocalServer, model: OpenAIModel) -> None:
    server.script(event_reply(*chat_events("Hi")[:1], done=False, stall=True))
    seen: list[StreamedResponse] = []
    with anyio.CancelScope() as scope:
        async with model.request_stream(PROMPT, None, ASK) as stream:
            seen.append(stream)
            async for _ in stream:
                scope.cancel()
    assert scope.cancelled_caught
    assert seen[0].get().parts == [TextPart("Hi")]


async def test_a_stream_can_be_read_in_two_loops(server: LocalServer, model: OpenAIModel) -> None:
    server.script(event_reply(*chat_events("Hi", " there")))
    async with model.request_stream(PROMPT, None, ASK) as stream:
        async for _ in stream:
            break
        rest = [event async for event in stream]
    assert len(rest) == 1
    assert stream.get().parts == [TextPart("Hi there")]


async def test_nobody_there_is_an_error() -> None:
    provider = OpenAIProvider(api_key=KEY, base_url="http://127.0.0.1:1", max_retries=0)
    with pytest.raises(UnexpectedModelBehavior, match=r"'gpt-4o' of 'openai' at http://127\.0\.0\.1:1 could not"):
        await OpenAIModel("gpt-4o", provider=provider).request(PROMPT, None, ASK)


async def test_requests_can_be_forbidden(server: LocalServer, model: OpenAIModel) -> None:
    with override_allow_model_requests(False):
        with pytest.raises(UserError, match="ALLOW_MODEL_REQUESTS"):
            await model.request(PROMPT, None, ASK)
        with pytest.raises(UserError, match="ALLOW_MODEL_REQUESTS"):
            await stream_of(model)
    assert server.requests == []


async def test_what_is_no_json_is_not_sent(server: LocalServer, model: OpenAIModel) -> None:
    with pytest.raises(UserError, match="cannot be written as JSON"):
        await model.request(PROMPT, {"extra_body": {"x": object()}}, ASK)
    with pytest.raises(UserError, match="cannot be written as JSON"):
        await model.request([ModelRequest([UserPromptPart("\ud800")])], None, ASK)
    assert server.requests == []


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_huge_answer_is_given_up(server: LocalServer, model: OpenAIModel, *, streamed: bool) -> None:
    kind = "text/event-stream" if streamed else "application/json"
    server.script(Reply((b" " * 2**20,) * 65, headers={"content-type": kind}))
    with pytest.raises(UnexpectedModelBehavior, match="more than 64 MiB"):
        await (stream_of(model) if streamed else model.request(PROMPT, None, ASK))


async def test_one_client_serves_many_requests_side_by_side(server: LocalServer, model: OpenAIModel) -> None:
    server.answer(lambda received: chat_reply(json.loads(received.body)["messages"][0]["content"]))
    texts: dict[int, str] = {}

    async def ask(number: int) -> None:
        reply, _ = await model.request([ModelRequest([UserPromptPart(str(number))])], None, ASK)
        texts[number] = "".join(part.content for part in reply.parts if isinstance(part, TextPart))

    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(ask, number)
    assert texts == {number: str(number) for number in range(20)}
