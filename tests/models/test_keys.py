"""A key is planted, every error is provoked, and everything that can be seen of it is searched."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator

import pytest

from agentgraph.messages import ModelMessage, ModelRequest, UserPromptPart
from agentgraph.model import Model, ModelRequestParameters
from agentgraph.models.anthropic import AnthropicModel
from agentgraph.models.bedrock import BedrockConverseModel
from agentgraph.models.cohere import CohereModel
from agentgraph.models.gemini import GeminiModel
from agentgraph.models.groq import GroqModel
from agentgraph.models.mistral import MistralModel
from agentgraph.models.openai import OpenAIModel
from agentgraph.models.openai_responses import OpenAIResponsesModel
from agentgraph.providers import Provider, RetrySettings, infer_provider
from agentgraph.providers.anthropic import AnthropicProvider
from agentgraph.providers.azure import AzureProvider
from agentgraph.providers.bedrock import BedrockProvider
from agentgraph.providers.cohere import CohereProvider
from agentgraph.providers.google_gla import GoogleGLAProvider
from agentgraph.providers.groq import GroqProvider
from agentgraph.providers.mistral import MistralProvider
from agentgraph.providers.openai import OpenAIProvider
from agentgraph.providers.registry import PROVIDERS
from agentgraph.providers.services import SERVICES
from agentgraph.settings import ModelSettings
from tests.models.bedrock_service import event_frame, exception_frame, frames_reply
from tests.models.conftest import KEY
from tests.models.local_server import LocalServer, Reply, event_reply, json_reply

PROMPT: list[ModelMessage] = [ModelRequest([UserPromptPart("Hello")])]
OTHER = "other-secret-42"
ECHO = f"your key {KEY} and your header {OTHER}"
HTML = {"content-type": "text/html"}
JSON = {"content-type": "application/json"}
EVENTS = {"content-type": "text/event-stream"}

KEYS = ("ANTHROPIC_API_KEY", "AZURE_OPENAI_API_KEY", "AWS_BEARER_TOKEN_BEDROCK", "CO_API_KEY", "GEMINI_API_KEY")

ONCE = RetrySettings(max_retries=0)
MakeModel = Callable[[str], Model]


def chat(url: str) -> Model:
    return OpenAIModel("gpt-4o", provider=OpenAIProvider(api_key=KEY, base_url=url, max_retries=ONCE))


def responses(url: str) -> Model:
    return OpenAIResponsesModel("gpt-5", provider=OpenAIProvider(api_key=KEY, base_url=url, max_retries=ONCE))


def groq(url: str) -> Model:
    return GroqModel("llama-3.3-70b-versatile", provider=GroqProvider(api_key=KEY, base_url=url, max_retries=ONCE))


def mistral(url: str) -> Model:
    return MistralModel("mistral-large-latest", provider=MistralProvider(api_key=KEY, base_url=url, max_retries=ONCE))


def azure(url: str) -> Model:
    provider = AzureProvider(api_key=KEY, azure_endpoint=url, api_version="2024-10-21", max_retries=ONCE)
    return OpenAIModel("gpt-4o", provider=provider)


def gemini(url: str) -> Model:
    provider = GoogleGLAProvider(api_key=KEY, base_url=url, max_retries=ONCE)
    return GeminiModel("gemini-2.5-flash", provider=provider)


def cohere(url: str) -> Model:
    return CohereModel("command-a-03-2025", provider=CohereProvider(api_key=KEY, base_url=url, max_retries=ONCE))


def claude(url: str) -> Model:
    return AnthropicModel("claude-opus-5", provider=AnthropicProvider(api_key=KEY, base_url=url, max_retries=ONCE))


def bedrock(url: str) -> Model:
    provider = BedrockProvider(
        region_name="eu-west-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key=KEY,
        base_url=url,
        max_retries=ONCE,
    )
    return BedrockConverseModel("amazon.nova-lite-v1:0", provider=provider)


def bedrock_by_key(url: str) -> Model:
    provider = BedrockProvider(region_name="eu-west-1", api_key=KEY, base_url=url, max_retries=ONCE)
    return BedrockConverseModel("amazon.nova-lite-v1:0", provider=provider)


CLIENTS = [chat, responses, azure, groq, mistral, gemini, cohere, claude, bedrock, bedrock_by_key]
"""A client of each protocol, for the service at an address."""

FAILURES = {
    "status": json_reply({"error": {"message": ECHO}}, 401),
    "refused": json_reply({"error": {"code": "tool_use_failed", "message": ECHO}}, 400),
    "status as text": Reply((ECHO.encode(),), 403, HTML),
    "busy": json_reply(ECHO, 429),
    "redirect": Reply((), 302, {"location": f"http://127.0.0.1/{KEY}"}),
    "page": Reply((ECHO.encode(),), 200, HTML),
    "malformed": Reply((ECHO.encode(),), 200, JSON),
    "no text": Reply((b"\xff" + ECHO.encode(),), 200, JSON),
    "error inside": json_reply({"error": {"code": 500, "message": ECHO}}),
    "silence": Reply(silent=True),
    "cut": Reply((b"{",), 200, JSON, cut=True),
    "stall": Reply((b"{",), 200, JSON, stall=True),
    "malformed event": event_reply(ECHO),
    "error event": event_reply({"error": {"message": ECHO}}),
    "stall after an event": event_reply({"type": "ping", "text": ECHO}, done=False, stall=True),
    "event that is no text": Reply((b"data: \xff" + ECHO.encode() + b"\n\n",), 200, EVENTS),
    "cut stream": event_reply({"choices": [{"delta": {"content": ECHO}}]}, done=False),
}

ECHOED = event_frame({"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": ECHO}}})
FRAMES = {
    "exception": frames_reply(exception_frame("validationException", ECHO)),
    "damaged": frames_reply(ECHOED, ECHO.encode()),
    "damaged at once": frames_reply(ECHOED + ECHO.encode()),
    "no text": frames_reply(ECHOED, event_frame({"messageStop": {}})[:-1] + b"x"),
    "cut": frames_reply(ECHOED, ECHOED[:20], cut=True),
    "stall": frames_reply(ECHOED, stall=True),
    "cut off": frames_reply(ECHOED),
    "malformed": frames_reply(event_frame({"contentBlockDelta": {"contentBlockIndex": ECHO}})),
}


def seen(error: BaseException) -> Iterator[str]:
    """All that a log, a debugger or an error tracker could show of an error."""
    chain: list[BaseException] = [error]
    for each in chain:
        chain += [other for other in (each.__cause__, each.__context__) if other is not None and other not in chain]
        yield from (str(each), repr(each), repr(each.args), repr(vars(each)))
        yield from traceback.TracebackException.from_exception(each, capture_locals=True).format()


async def provoke(model: Model, *, streamed: bool) -> None:
    settings = ModelSettings(timeout=0.05, extra_headers={"x-api-key": OTHER})
    if not streamed:
        await model.request(PROMPT, settings, ModelRequestParameters())
        return
    async with model.request_stream(PROMPT, settings, ModelRequestParameters()) as reply:
        async for _ in reply:
            pass


def without_settings(text: str) -> str:
    # What the caller handed over is in the caller's own frames, which is nobody else's doing.
    return "" if OTHER in text and "extra_headers" in text else text


@pytest.mark.anyio
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("failure", FAILURES)
async def test_no_error_shows_a_key(
    server: LocalServer, failure: str, client: MakeModel, caplog: pytest.LogCaptureFixture, *, streamed: bool
) -> None:
    caplog.set_level(logging.INFO)
    server.script(FAILURES[failure])
    with pytest.raises(RuntimeError) as raised:
        await provoke(client(server.url), streamed=streamed)
    for text in [*seen(raised.value), caplog.text]:
        assert KEY not in text
        assert OTHER not in without_settings(text)


@pytest.mark.anyio
@pytest.mark.parametrize("client", [bedrock, bedrock_by_key])
@pytest.mark.parametrize("failure", FRAMES)
async def test_no_error_of_a_binary_stream_shows_a_key(server: LocalServer, failure: str, client: MakeModel) -> None:
    server.script(FRAMES[failure])
    with pytest.raises(RuntimeError) as raised:
        await provoke(client(server.url), streamed=True)
    for text in seen(raised.value):
        assert KEY not in text
        assert OTHER not in without_settings(text)


@pytest.mark.anyio
@pytest.mark.parametrize("client", CLIENTS)
async def test_a_refused_connection_shows_no_key(client: MakeModel) -> None:
    with pytest.raises(RuntimeError) as raised:
        await client("http://127.0.0.1:1").request(PROMPT, None, ModelRequestParameters())
    assert not any(KEY in text for text in seen(raised.value))


@pytest.mark.parametrize("url", [f"http://user:{OTHER}@h/v1", f"http://h/v1?key={OTHER}", f"h/{OTHER}", "http://[h"])
def test_an_address_with_a_password_is_refused_unseen(url: str) -> None:
    with pytest.raises(RuntimeError, match="has to begin with") as raised:
        OpenAIProvider(api_key=KEY, base_url=url)
    assert OTHER not in str(raised.value)


@pytest.mark.parametrize("key", [f"{KEY}\nx", f"{KEY}é", f"{KEY}\x00"])
def test_a_key_that_cannot_be_sent_is_refused_unseen(key: str) -> None:
    with pytest.raises(RuntimeError, match="cannot be sent") as raised:
        OpenAIProvider(api_key=key)
    assert not any(KEY in text for text in (str(raised.value), repr(raised.value), repr(vars(raised.value))))


@pytest.mark.parametrize("name", sorted({*SERVICES, *PROVIDERS} - {"google-vertex"}))  # which has no key
def test_no_provider_shows_its_key(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    service = SERVICES.get(name)
    variables = [service.key] if service else []
    for variable in (*variables, *KEYS):
        monkeypatch.setenv(variable, KEY)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "http://127.0.0.1:1")
    provider = infer_provider(name)
    assert provider.redact(f"it was {KEY}") == "it was [redacted]"
    assert KEY not in repr((provider, vars(provider), provider.auth, provider.retries))


@pytest.mark.parametrize("client", CLIENTS)
def test_no_repr_shows_a_key(client: MakeModel) -> None:
    model = client("http://127.0.0.1:1")
    parts = vars(model).values()
    providers = [part for part in parts if isinstance(part, Provider)]
    texts = [repr(model), repr(vars(model)), *(repr(vars(provider)) for provider in providers)]
    texts += [repr(provider.auth) for provider in providers]
    assert len(texts) == 4
    assert not any(KEY in text for text in texts)
