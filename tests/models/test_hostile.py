"""Every protocol beside a service that misbehaves: nothing is lost, nothing is made up, and every failure is named."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import product
from typing import cast

import pytest

from agentgraph import Agent
from agentgraph.exceptions import AgentRunError, ModelHTTPError, UnexpectedModelBehavior
from agentgraph.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, UserPromptPart
from agentgraph.model import ModelRequestParameters
from agentgraph.providers import RetrySettings
from tests.models.bedrock_service import event_frame, frame
from tests.models.conftest import AT_ONCE
from tests.models.local_server import LocalServer, Reply, json_reply, local_server
from tests.models.protocols import PROTOCOLS, Protocol, Said

pytestmark = pytest.mark.anyio

PROMPT: list[ModelMessage] = [ModelRequest([UserPromptPart("Hello")])]
TEXT = Said(texts=("It is ", "4 degrees."))
DONE = b"data: [DONE]\n\n"
JSON_TYPE = {"content-type": "application/json"}
PAGE = Reply((b"<h1>Log in</h1>",), headers={"content-type": "text/html"})
IDS = frozenset({"id", "call_id", "tool_call_id", "tool_use_id", "toolUseId"})

WAYS = ("plain", "streamed")
each_protocol = pytest.mark.parametrize("protocol", PROTOCOLS, ids=[protocol.name for protocol in PROTOCOLS])
each_way = pytest.mark.parametrize("way", WAYS)
each_text_protocol = pytest.mark.parametrize(
    "protocol", [each for each in PROTOCOLS if each.is_text], ids=[each.name for each in PROTOCOLS if each.is_text]
)


async def ask(
    protocol: Protocol, server: LocalServer, way: str, retries: RetrySettings = AT_ONCE, patience: float = 10
) -> ModelResponse:
    """One reply of the service, without retries that wait."""
    model = protocol.client(server.url, retries)
    if way == "plain":
        reply, _ = await model.request(PROMPT, {"timeout": patience}, ModelRequestParameters())
        return reply
    async with model.request_stream(PROMPT, {"timeout": patience}, ModelRequestParameters()) as stream:
        async for _ in stream:
            pass
        return stream.get()


def answer(protocol: Protocol, way: str, said: Said = TEXT) -> Reply:
    return protocol.plain(said) if way == "plain" else protocol.streamed(said)


def check(reply: ModelResponse) -> None:
    """It is the whole reply."""
    assert reply.parts == [TextPart(TEXT.text)]
    assert reply.finish_reason == "stop"


@cache
def packed() -> bytes:
    """A little that unpacks to a lot."""
    return gzip.compress(b" " * (65 * 2**20), 1)


def in_stream(protocol: Protocol, data: bytes) -> Reply:
    """A stream with one event that holds these bytes."""
    piece = b"data: " + data + b"\n\n"
    if not protocol.is_text:
        piece = frame(data, event_type="messageStart", message_type="event")
    return Reply((piece,), headers=protocol.streamed(TEXT).headers)


@each_protocol
@each_way
async def test_bytes_may_come_one_by_one(server: LocalServer, protocol: Protocol, way: str) -> None:
    reply = answer(protocol, way)
    whole = b"".join(reply.chunks)
    server.script(replace(reply, chunks=tuple(whole[i : i + 1] for i in range(len(whole)))))
    check(await ask(protocol, server, way))


@each_text_protocol
@pytest.mark.parametrize("line_end", [b"\r\n", b"\r"], ids=["CRLF", "CR"])
async def test_lines_may_end_in_any_way(server: LocalServer, protocol: Protocol, line_end: bytes) -> None:
    reply = protocol.streamed(TEXT)
    server.script(replace(reply, chunks=tuple(chunk.replace(b"\n", line_end) for chunk in reply.chunks)))
    check(await ask(protocol, server, "streamed"))


@each_protocol
async def test_what_says_nothing_is_passed_over(server: LocalServer, protocol: Protocol) -> None:
    reply = protocol.streamed(TEXT)
    nothing = b': keep-alive\n\n\n\nretry: 5\nfoo: bar\n\nevent: ping\ndata: {"type": "ping"}\n\n'
    mark = (b"\xef\xbb\xbf",) if protocol.is_text else ()
    between = nothing if protocol.is_text else event_frame({"ping": {}})
    server.script(replace(reply, chunks=(*mark, *(piece for chunk in reply.chunks for piece in (between, chunk)))))
    check(await ask(protocol, server, "streamed"))


@each_text_protocol
async def test_the_word_done_is_not_needed_and_does_no_harm(server: LocalServer, protocol: Protocol) -> None:
    reply = protocol.streamed(TEXT)
    bare = tuple(chunk for chunk in reply.chunks if chunk != DONE)
    server.script(replace(reply, chunks=bare), replace(reply, chunks=(*bare, DONE)))
    check(await ask(protocol, server, "streamed"))
    check(await ask(protocol, server, "streamed"))


@each_protocol
async def test_a_failure_inside_a_stream_is_raised(server: LocalServer, protocol: Protocol) -> None:
    reply = protocol.streamed(TEXT)
    server.script(*(replace(reply, chunks=(*reply.chunks[:count], protocol.failure)) for count in range(3)))
    for _ in range(3):
        with pytest.raises(AgentRunError, match="gone" if protocol.status else "error instead of a reply") as raised:
            await ask(protocol, server, "streamed")
        assert getattr(raised.value, "status_code", None) == protocol.status
        assert "gone" in str(cast("ModelHTTPError", raised.value).body)  # cast: both kinds of errors have it


@each_protocol
async def test_a_stream_that_is_cut_off_is_whole_or_an_error(server: LocalServer, protocol: Protocol) -> None:
    reply = protocol.streamed(TEXT)
    whole: dict[bool, list[bool]] = {True: [], False: []}
    for count, cut in product(range(len(reply.chunks) + 1), whole):
        server.script(replace(reply, chunks=reply.chunks[:count], cut=cut))
        try:
            check(await ask(protocol, server, "streamed"))
        except UnexpectedModelBehavior:
            whole[cut].append(False)
        else:
            whole[cut].append(True)
    assert all(outcomes == sorted(outcomes) for outcomes in whole.values())
    assert whole[False][-1]
    assert not whole[False][len(TEXT.texts)]


@each_protocol
async def test_a_reply_that_is_cut_off_is_an_error(server: LocalServer, protocol: Protocol) -> None:
    reply = protocol.plain(TEXT)
    server.script(replace(reply, chunks=(reply.chunks[0][:-9],), cut=True))
    with pytest.raises(UnexpectedModelBehavior, match="cut off"):
        await ask(protocol, server, "plain")


@each_protocol
@each_way
async def test_a_service_that_falls_silent_is_given_up(server: LocalServer, protocol: Protocol, way: str) -> None:
    reply = answer(protocol, way)
    server.script(replace(reply, chunks=(reply.chunks[0][:20],), stall=True))
    with pytest.raises(UnexpectedModelBehavior, match="took too long"):
        await ask(protocol, server, way, patience=0.05)
    assert len(server.requests) == 1


@each_protocol
@each_way
async def test_a_refusal_is_an_error_at_once(server: LocalServer, protocol: Protocol, way: str) -> None:
    for count, status in enumerate((400, 401, 404, 422), start=1):
        server.script(json_reply({"message": "no"}, status))
        with pytest.raises(ModelHTTPError) as raised:
            await ask(protocol, server, way)
        assert (raised.value.status_code, raised.value.body) == (status, {"message": "no"})
        assert len(server.requests) == count


@each_protocol
@each_way
async def test_a_busy_service_says_how_long_to_wait(server: LocalServer, protocol: Protocol, way: str) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    patient = RetrySettings(max_retries=3, longest_retry_after=20, sleep=sleep)
    asked = ("1.5", "Wed, 21 Oct 2015 07:28:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT")
    server.script(*(json_reply({}, 429, retry_after=value) for value in asked), answer(protocol, way))
    check(await ask(protocol, server, way, patient))
    assert waits == [1.5, 0, 20]


@each_protocol
@each_way
async def test_what_may_pass_is_tried_again_and_then_named(server: LocalServer, protocol: Protocol, way: str) -> None:
    server.script(json_reply({}, 503), Reply(silent=True), answer(protocol, way))
    check(await ask(protocol, server, way))
    server.script(json_reply({"message": "down"}, 500))
    with pytest.raises(ModelHTTPError, match="down"):
        await ask(protocol, server, way)
    assert len(server.requests) == 6


@each_protocol
@each_way
async def test_redirects_are_refused(server: LocalServer, protocol: Protocol, way: str) -> None:
    with local_server(answer(protocol, way)) as elsewhere:
        server.script(Reply(status=307, headers={"location": elsewhere.url}))
        with pytest.raises(ModelHTTPError, match="redirected, which is refused"):
            await ask(protocol, server, way)
        assert (len(server.requests), elsewhere.requests) == (1, [])


@each_protocol
async def test_an_answer_of_another_kind_is_none(server: LocalServer, protocol: Protocol) -> None:
    server.script(PAGE, PAGE, protocol.streamed(TEXT), protocol.plain(TEXT))
    for way in (*WAYS, *WAYS):
        with pytest.raises(UnexpectedModelBehavior, match=r"answered with .* instead of|not valid UTF-8"):
            await ask(protocol, server, way)


@each_protocol
@each_way
async def test_an_answer_that_unpacks_to_too_much_is_given_up(
    server: LocalServer, protocol: Protocol, way: str
) -> None:
    server.script(Reply((packed(),), headers={**answer(protocol, way).headers, "content-encoding": "gzip"}))
    with pytest.raises(UnexpectedModelBehavior, match=r"more than 64 MiB|damaged"):
        await ask(protocol, server, way)


# On trio, httpx leaves a generator of its own to the garbage collection, which warns of it.
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@each_protocol
@each_way
async def test_an_answer_that_cannot_be_unpacked_is_an_error(server: LocalServer, protocol: Protocol, way: str) -> None:
    reply = answer(protocol, way)
    server.script(replace(reply, headers={**reply.headers, "content-encoding": "gzip"}))
    with pytest.raises(UnexpectedModelBehavior, match="DecodingError"):
        await ask(protocol, server, way)


@each_protocol
async def test_what_is_no_reply_is_an_error(server: LocalServer, protocol: Protocol) -> None:
    for body in (b"", b"{", b"[]", b"null", b"3", b'"x"', b"{}", b'{"id": "\xff"}', b"\xff"):
        server.script(Reply((body,) if body else (), headers=JSON_TYPE), in_stream(protocol, body))
        for way in WAYS:
            with pytest.raises(UnexpectedModelBehavior):
                await ask(protocol, server, way)


@each_protocol
async def test_an_answer_without_a_reply_is_an_error(server: LocalServer, protocol: Protocol) -> None:
    server.script(json_reply(protocol.empty), in_stream(protocol, json.dumps(protocol.empty).encode()))
    for way in WAYS:
        with pytest.raises(UnexpectedModelBehavior):
            await ask(protocol, server, way)


def ids_in(value: object) -> Iterator[str]:
    """The ids of calls and of their answers in what a service was told."""
    if isinstance(value, dict):
        for key, item in cast("dict[str, object]", value).items():  # cast: this and the next, from JSON
            if key in IDS and isinstance(item, str):
                yield item
            else:
                yield from ids_in(item)
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            yield from ids_in(item)


@each_protocol
@each_way
@pytest.mark.parametrize("call_id", [None, "", "abcDEF123"], ids=["missing", "empty", "twice the same"])
async def test_each_call_has_an_id_of_its_own_that_stays(
    server: LocalServer, protocol: Protocol, way: str, call_id: str | None
) -> None:
    calls = Said(calls=((call_id, "Oslo"), (call_id, "Bergen")))
    server.script(*(answer(protocol, way, said) for said in (calls, TEXT, TEXT)))
    asked: list[str] = []
    agent = Agent(protocol.client(server.url, AT_ONCE))

    @agent.tool_plain
    def weather(city: str) -> str:
        asked.append(city)
        return f"4 degrees in {city}"

    history: list[ModelMessage] | None = None
    for prompt in ("Weather?", "Really?"):
        if way == "plain":
            history = (await agent.run(prompt, message_history=history)).all_messages()
        else:
            async with agent.run_stream(prompt, message_history=history) as response:
                assert await response.get_data() == TEXT.text
            history = response.all_messages()
    assert sorted(asked) == ["Bergen", "Oslo"]
    second, third = (Counter(ids_in(received.json)) for received in server.requests[1:])
    assert (sorted(second.values()), second) == ([2, 2], third)
