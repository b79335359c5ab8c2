"""Media by URL: what a service does not fetch is downloaded, and what may not be reached is not."""

from __future__ import annotations

import base64
import gzip
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import given, settings, strategies as st

from agentgraph import Agent, DownloadError, ModelHTTPError, UserError
from agentgraph.messages import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    MediaUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    UserContent,
    UserPromptPart,
    VideoUrl,
)
from agentgraph.model import Model, ModelRequestParameters
from agentgraph.models.addresses import is_public
from agentgraph.models.anthropic import AnthropicModel
from agentgraph.models.bedrock import BedrockConverseModel
from agentgraph.models.cohere import CohereModel
from agentgraph.models.downloads import download, shown_url, with_downloads
from agentgraph.models.gemini import GeminiModel
from agentgraph.models.groq import GroqModel
from agentgraph.models.mistral import MistralModel
from agentgraph.models.openai import OpenAIModel
from agentgraph.models.openai_responses import OpenAIResponsesModel
from agentgraph.providers.bedrock import BedrockProvider
from agentgraph.settings import DownloadSettings, ModelSettings
from tests.models.conftest import KEY
from tests.models.local_server import LocalServer, Reply, chat_reply, file_reply

pytestmark = pytest.mark.anyio


def prompt(*pieces: UserContent) -> list[ModelMessage]:
    return [ModelRequest([UserPromptPart(pieces)])]


LOCAL = DownloadSettings(allow_private=True)
PNG, PDF, MP3, MP4 = b"\x89PNG", b"%PDF-1.7", b"ID3", b"ftyp"


def looked_up(*addresses: str) -> Callable[[str, int], Any]:  # Any: a coroutine
    async def look_up(host: str, port: int) -> Sequence[str]:
        return addresses

    return look_up


async def reason_of(item: MediaUrl, rules: DownloadSettings = LOCAL, *addresses: str) -> str:
    with pytest.raises(DownloadError) as caught:
        await download(item, rules, looked_up(*addresses or ("127.0.0.1",)))
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return caught.value.reason


async def test_an_agent_sends_bytes_where_the_service_does_not_fetch(server: LocalServer, model: OpenAIModel) -> None:
    server.answer(lambda got: chat_reply() if got.path.startswith("/v1") else file_reply(PDF, "application/pdf"))
    document = DocumentUrl(f"{server.url}/paper")
    result = await Agent(model).run(["Read it", document, document], model_settings={"downloads": LOCAL})
    read, asked = server.requests
    assert read.path == "/paper"
    file = asked.json["messages"][0]["content"][1]["file"]
    assert file["file_data"] == f"data:application/pdf;base64,{base64.b64encode(PDF).decode()}"
    prompt = result.all_messages()[0].parts[0]
    assert isinstance(prompt, UserPromptPart)
    assert prompt.content == ["Read it", document, document]  # the history keeps the address


async def test_nothing_of_the_service_goes_along(server: LocalServer, model: OpenAIModel) -> None:
    server.answer(lambda got: chat_reply() if got.path.startswith("/v1") else file_reply(MP3, "audio/mpeg"))
    settings = ModelSettings(downloads=LOCAL, extra_headers={"x-team": "blue"})
    await Agent(model).run([AudioUrl(f"{server.url}/a.mp3")], model_settings=settings)
    sent = server.requests[0]
    assert KEY not in str(sent.headers)
    assert "x-team" not in sent.headers
    assert sent.headers["host"] == server.url.removeprefix("http://")


def refusing() -> httpx.AsyncClient:
    """A client of a service that refuses whatever it is asked."""
    return httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(400)))


MODELS: dict[str, Callable[[httpx.AsyncClient], Model]] = {
    "openai": lambda client: OpenAIModel("gpt-4o", api_key=KEY, http_client=client),
    "ollama": lambda client: OpenAIModel("llava", provider="ollama", http_client=client),
    "responses": lambda client: OpenAIResponsesModel("gpt-5", api_key=KEY, http_client=client),
    "anthropic": lambda client: AnthropicModel("claude-opus-5", api_key=KEY, http_client=client),
    "gemini": lambda client: GeminiModel("gemini-3-flash-preview", api_key=KEY, http_client=client),
    "gemini 2.0": lambda client: GeminiModel("gemini-2.0-flash", api_key=KEY, http_client=client),
    "mistral": lambda client: MistralModel("mistral-large-latest", api_key=KEY, http_client=client),
    "groq": lambda client: GroqModel("openai/gpt-oss-20b", api_key=KEY, http_client=client),
    "cohere": lambda client: CohereModel("command-a-03-2025", api_key=KEY, http_client=client),
    "bedrock": lambda client: BedrockConverseModel(
        "nova", provider=BedrockProvider(region_name="eu-west-1", api_key=KEY, http_client=client)
    ),
}
OURS = {
    "openai": "mp3 pdf txt paper",
    "ollama": "png mp3 pdf txt paper",
    "responses": "",
    "anthropic": "txt",
    "gemini": "mp3 mp4 paper",
    "gemini 2.0": "png mp3 mp4 pdf txt paper",
    "mistral": "",
    "groq": "txt paper",
    "cohere": "txt paper",
    "bedrock": "png mp3 mp4 pdf txt paper",
}
"""What is downloaded for each; the rest is fetched by the service, or refused by the encoder."""
ITEMS: dict[str, MediaUrl] = {
    "png": ImageUrl("https://10.0.0.1/a.png"),
    "mp3": AudioUrl("https://10.0.0.1/a.mp3"),
    "mp4": VideoUrl("https://10.0.0.1/a.mp4"),
    "pdf": DocumentUrl("https://10.0.0.1/a.pdf"),
    "txt": DocumentUrl("https://10.0.0.1/a.txt"),
    "paper": DocumentUrl("https://10.0.0.1/papers/17"),
}


@pytest.mark.parametrize("name", MODELS)
async def test_each_service_fetches_what_it_can(name: str) -> None:
    ours: list[str] = []
    async with refusing() as client:
        model = MODELS[name](client)
        for kind, item in ITEMS.items():
            with pytest.raises((DownloadError, UserError, ModelHTTPError)) as caught:
                await model.request(prompt(item), None, ModelRequestParameters())
            ours += [kind] if isinstance(caught.value, DownloadError) else []
    assert " ".join(ours) == OURS[name]


async def test_on_demand_everything_is_downloaded(server: LocalServer, model: OpenAIModel) -> None:
    server.answer(lambda got: chat_reply() if got.path.startswith("/v1") else file_reply(PNG, "image/png"))
    settings = ModelSettings(downloads={**LOCAL, "always": True})
    await Agent(model).run([ImageUrl(f"{server.url}/a")], model_settings=settings)
    url = server.requests[1].json["messages"][0]["content"][0]["image_url"]["url"]
    assert url.startswith("data:image/png;base64,")


async def test_without_media_the_conversation_is_the_same_list() -> None:
    messages: list[ModelMessage] = [*prompt("Hello"), ModelResponse([TextPart("Hi")])]
    messages += [ModelRequest([SystemPromptPart("Be brief."), UserPromptPart("Bye")])]
    assert await with_downloads(messages, None, lambda item: True) is messages


async def test_only_what_needs_it_is_replaced(server: LocalServer) -> None:
    server.script(file_reply(PNG, "image/png"))
    system = SystemPromptPart("Be brief.")
    link = ImageUrl(f"{server.url}/a.png")
    stored = ImageUrl("s3://bucket/a.png")
    messages: list[ModelMessage] = [
        ModelRequest([system, UserPromptPart(["Look", link, stored]), UserPromptPart("Well?")]),
        ModelResponse([TextPart("Hm")]),
    ]
    found = await with_downloads(messages, {"downloads": LOCAL}, lambda item: True)
    assert isinstance(messages[0], ModelRequest)
    first = found[0]
    assert isinstance(first, ModelRequest)
    assert first.parts[0] is system
    assert first.parts[1].content == ["Look", BinaryContent(PNG, "image/png"), stored]
    assert first.parts[2] is messages[0].parts[2]
    assert found[1] is messages[1]


@pytest.mark.parametrize(
    ("item", "told", "found"),
    [
        (ImageUrl("/a"), "image/webp", "image/webp"),
        (ImageUrl("/a.png"), "", "image/png"),
        (ImageUrl("/a.jpg"), "image/webp", "image/webp"),
        (AudioUrl("/a.mp3"), "binary/octet-stream", "audio/mpeg"),
        (VideoUrl("/a.mp4"), "video/mp4; codecs=x", "video/mp4"),
        (DocumentUrl("/a"), "text/html; charset=utf-8", "text/html"),
        (DocumentUrl("/a.csv"), "text/plain", "text/plain"),
        (DocumentUrl("/a.pdf"), "application/octet-stream", "application/pdf"),
    ],
)
async def test_the_media_type_is_what_the_server_says_or_the_ending(
    server: LocalServer, item: MediaUrl, told: str, found: str
) -> None:
    server.script(file_reply(b"x", told))
    assert await download(replace(item, url=server.url + item.url), LOCAL) == BinaryContent(b"x", found)


@pytest.mark.parametrize(
    ("item", "told", "reason"),
    [
        (ImageUrl("/a.png"), "text/html", "it is of type 'text/html', which is not image/png"),
        (AudioUrl("/a"), "image/png", "which is not the audio it should be"),
        (VideoUrl("/a"), "image/png", "which is not the video it should be"),
        (DocumentUrl("/a"), "application/zip", "which is not the document it should be"),
        (DocumentUrl("/a.pdf"), "text/html", "which is not application/pdf"),
        (DocumentUrl("/a"), "", "neither its server nor its ending says what it is"),
    ],
)
async def test_another_kind_of_file_is_refused(server: LocalServer, item: MediaUrl, told: str, reason: str) -> None:
    server.script(file_reply(b"x", told))
    assert reason in await reason_of(replace(item, url=server.url + item.url))


async def test_a_long_file_is_given_up(server: LocalServer) -> None:
    server.script(Reply((b"x" * 50,) * 100, headers={"content-type": "image/png"}))
    item = ImageUrl(f"{server.url}/a.png")
    assert "more than 99 bytes (`max_bytes`" in await reason_of(item, {**LOCAL, "max_bytes": 99})
    assert len((await download(item, {**LOCAL, "max_bytes": 5000})).data) == 5000


async def test_a_short_file_that_unpacks_to_a_long_one_is_given_up(server: LocalServer) -> None:
    headers = {"content-type": "image/png", "content-encoding": "gzip"}
    server.script(Reply((gzip.compress(bytes(100_000)),), headers=headers))
    assert "more than 9999 bytes" in await reason_of(ImageUrl(f"{server.url}/a"), {**LOCAL, "max_bytes": 9999})


async def test_a_server_that_says_nothing_is_given_up(server: LocalServer) -> None:
    server.script(Reply(headers={"content-type": "image/png"}, stall=True))
    reason = await reason_of(ImageUrl(f"{server.url}/a"), {**LOCAL, "timeout": 0.05})
    assert reason == "it took longer than 0.05 s (`timeout` of the setting `downloads`)"


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (file_reply(b"", status=404), "its server answered with status 404"),
        (Reply(silent=True), "could not be reached or was cut off (RemoteProtocolError)"),
        (Reply((b"x",), headers={"content-type": "image/png"}, cut=True), "was cut off (RemoteProtocolError)"),
    ],
)
async def test_a_failing_server_is_an_error(server: LocalServer, reply: Reply, reason: str) -> None:
    server.script(reply)
    assert reason in await reason_of(ImageUrl(f"{server.url}/a.png"))


async def test_redirects_are_followed(server: LocalServer) -> None:
    server.script(file_reply(b"", status=302, location="/b"), file_reply(PNG, "image/png"))
    assert (await download(ImageUrl(f"{server.url}/a"), LOCAL)).data == PNG
    assert [got.path for got in server.requests] == ["/a", "/b"]


async def test_redirects_end(server: LocalServer) -> None:
    server.script(file_reply(b"", status=302, location="/again"))
    assert await reason_of(ImageUrl(f"{server.url}/a")) == "it was redirected more than 5 times"
    assert len(server.requests) == 6


@pytest.mark.parametrize("location", ["file:///etc/passwd", "gopher://h/x"])
async def test_each_redirect_is_checked(server: LocalServer, location: str) -> None:
    server.script(file_reply(b"", status=302, location=location))
    assert await reason_of(ImageUrl(f"{server.url}/a")) == "only http and https are downloaded"


async def test_a_redirect_from_a_public_name_into_the_own_network_is_refused(server: LocalServer) -> None:
    # The name is public at the first look and leads here nevertheless, as only a test can have it.
    answers = {"first.example": ["127.0.0.1"], "second.example": ["127.0.0.1", "10.1.2.3"]}
    port = int(server.url.rpartition(":")[2])

    async def look_up(host: str, port: int) -> Sequence[str]:
        return answers[host]

    server.script(file_reply(b"", status=302, location=f"http://second.example:{port}/b"), file_reply(PNG, "image/png"))
    item = ImageUrl(f"http://first.example:{port}/a.png")
    assert (await download(item, LOCAL, look_up)).data == PNG
    assert [got.headers["host"] for got in server.requests] == [f"first.example:{port}", f"second.example:{port}"]
    with pytest.raises(
        DownloadError, match=r"first.example:\d+/a.png was not downloaded: its address 127.0.0.1 is not"
    ):
        await download(item, {}, look_up)


@given(host=st.ip_addresses().filter(lambda address: not is_public(str(address))))
@settings(max_examples=30)
def test_no_address_that_is_not_public_is_asked(host: IPv4Address | IPv6Address) -> None:
    url = f"http://[{host}]/a.png" if isinstance(host, IPv6Address) else f"http://{host}/a.png"
    odd = ImageUrl("http://2130706433/a.png")
    with pytest.raises(DownloadError, match="is not one of the public internet"):
        anyio.run(partial(download, ImageUrl(url), {}))
    with pytest.raises(DownloadError, match="is not one of the public internet"):
        anyio.run(partial(download, odd, {}, looked_up("8.8.8.8", str(host))))


async def test_a_name_is_looked_up_once_and_the_checked_address_is_asked(server: LocalServer) -> None:
    asked: list[str] = []

    async def look_up(host: str, port: int) -> Sequence[str]:
        asked.append(f"{host}:{port}")
        return ["::1", "127.0.0.1"]  # nobody listens at the first

    server.script(file_reply(PNG, "image/png"))
    port = server.url.rpartition(":")[2]
    assert (await download(ImageUrl(f"http://name.example:{port}/a"), LOCAL, look_up)).data == PNG
    assert asked == [f"name.example:{port}"]


async def test_the_machines_own_lookup_is_used(server: LocalServer) -> None:
    server.script(file_reply(PNG, "image/png"))
    url = server.url.replace("127.0.0.1", "localhost")
    assert (await download(ImageUrl(url), LOCAL)).data == PNG
    with pytest.raises(DownloadError, match="is not one of the public internet"):
        await download(ImageUrl(url), {})


async def test_a_name_without_an_address_is_an_error() -> None:
    async def nowhere(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    with pytest.raises(DownloadError, match=r"could not be reached or was cut off \(gaierror\)"):
        await download(ImageUrl("https://name.example/a.png"), {}, nowhere)
    with pytest.raises(DownloadError, match=r"\(ConnectError\)"):
        await download(ImageUrl("https://name.example/a.png"), {}, looked_up())


async def test_no_error_shows_what_may_be_secret() -> None:
    item = ImageUrl("https://ada:pass-1@10.0.0.1/a.png?key=pass-2#pass-3")
    with pytest.raises(DownloadError) as caught:
        await download(item, {})
    assert caught.value.url == "https://10.0.0.1/a.png"
    assert "pass-" not in str(caught.value)


@given(st.from_regex(r"https?://[^ ]{0,30}(:[0-9]{0,6})?/a", fullmatch=True) | st.text(max_size=30))
@settings(max_examples=100)
def test_whatever_the_url_the_error_is_ours(url: str) -> None:
    with pytest.raises(DownloadError):
        anyio.run(partial(download, ImageUrl(url), {}, looked_up("10.0.0.1")))


async def test_a_host_that_is_no_name_is_an_error() -> None:
    assert await reason_of(ImageUrl("http://xn--/a.png")) == "it is no URL"


async def test_a_port_beyond_all_ports_is_an_error() -> None:
    assert await reason_of(ImageUrl("http://127.0.0.1:99999/a.png")) == "there is no port 99999"


@pytest.mark.parametrize("url", ["http://[::1", "http://[::1]:x/", "http://a b/\x00"])
async def test_what_is_no_url_is_an_error(url: str) -> None:
    assert await reason_of(ImageUrl(url)) == "it is no URL"
    assert shown_url(url) == "(a malformed URL)"
