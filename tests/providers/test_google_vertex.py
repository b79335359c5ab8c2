from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from agentgraph.exceptions import ModelHTTPError, UnexpectedModelBehavior, UserError
from agentgraph.models.gemini import GeminiModel
from agentgraph.providers import infer_provider
from agentgraph.providers.google_vertex import GoogleVertexProvider
from tests.models.conftest import AT_ONCE
from tests.models.conversation import asked
from tests.models.local_server import LocalServer, Received, Reply, json_reply, local_server
from tests.models.test_keys import seen

JSON = dict[str, Any]  # Any: JSON
TOKEN = "ya29.planted-token"
REPLY = json_reply({"candidates": [{"content": {"parts": [{"text": "Hi"}]}, "finishReason": "STOP"}]})
GRANTED = json_reply({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})


@cache
def private_key() -> str:
    """A function and no fixture, so that no frame of a test holds it."""
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with local_server() as running:
        yield running


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials anywhere, and no look at the network for some."""
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")


def account(granter: str = "http://127.0.0.1:1") -> JSON:
    return {
        "type": "service_account",
        "project_id": "my-project",
        "private_key_id": "k1",
        "private_key": private_key(),
        "client_email": "me@my-project.iam.gserviceaccount.com",
        "token_uri": f"{granter}/token",
    }


def served(server: LocalServer, granted: Reply = GRANTED, reply: Reply = REPLY) -> GeminiModel:
    """A model of a server that grants tokens too."""

    def answer(received: Received) -> Reply:
        return granted if received.path == "/token" else reply

    server.answer(answer)
    info = account(server.url)
    provider = GoogleVertexProvider(service_account_info=info, base_url=f"{server.url}/v1", max_retries=AT_ONCE)
    return GeminiModel("gemini-2.5-flash", provider=provider)


@pytest.mark.parametrize(("region", "host"), [("europe-west4", "europe-west4-aiplatform"), ("global", "aiplatform")])
def test_project_and_region_make_the_address(region: str, host: str) -> None:
    provider = GoogleVertexProvider(service_account_info=account(), region=region)
    path = f"v1beta1/projects/my-project/locations/{region}/publishers/google"
    assert provider.base_url == f"https://{host}.googleapis.com/{path}"
    assert (provider.name, provider.project_id, provider.region) == ("google-vertex", "my-project", region)


def test_the_environment_says_the_rest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "account.json"
    file.write_text(json.dumps(account()))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    provider = infer_provider("google-vertex")
    assert "/projects/my-project/locations/us-central1/" in provider.base_url
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "other")
    monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", "us-east1")
    assert "/projects/other/locations/us-east1/" in GoogleVertexProvider(service_account_file=file).base_url
    assert GoogleVertexProvider(service_account_file=file, project_id="mine").project_id == "mine"


def test_what_is_no_account_is_the_callers_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no Google credentials that work"):
        GoogleVertexProvider()
    with pytest.raises(UserError, match="No such file"):
        GoogleVertexProvider(service_account_file=tmp_path / "none.json")
    with pytest.raises(UserError, match="no Google credentials that work") as raised:
        GoogleVertexProvider(service_account_info={**account(), "private_key": private_key()[:-100]})
    assert raised.value.__context__ is None
    assert "PRIVATE" not in str(raised.value)


def test_a_project_is_needed() -> None:
    info = {key: value for key, value in account().items() if key != "project_id"}
    with pytest.raises(UserError, match="set GOOGLE_CLOUD_PROJECT"):
        GoogleVertexProvider(service_account_info=info)
    assert GoogleVertexProvider(service_account_info=info, base_url="http://h/v1").project_id is None


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.auth", None)
    with pytest.raises(UserError, match=r"agentgraph\[vertex\]"):
        GoogleVertexProvider()


def test_a_key_is_not_for_vertex() -> None:
    with pytest.raises(UserError, match="'google-vertex' takes no api_key"):
        GeminiModel("gemini-2.5-flash", provider="google-vertex", api_key="x")


@pytest.mark.anyio
async def test_requests_carry_a_token_that_is_fetched_once(server: LocalServer) -> None:
    model = served(server)
    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(asked, model)
    await asked(model)
    paths = [request.path for request in server.requests]
    assert paths.count("/token") == 1
    others = [request for request in server.requests if request.path != "/token"]
    assert {request.headers["authorization"] for request in others} == {f"Bearer {TOKEN}"}
    assert {request.path for request in others} == {"/v1/models/gemini-2.5-flash:generateContent"}


def test_the_token_is_put_on_requests_of_blocking_clients(server: LocalServer) -> None:
    server.script(GRANTED)
    auth = GoogleVertexProvider(service_account_info=account(server.url)).auth
    request = httpx.Request("POST", "http://h")
    next(auth.sync_auth_flow(request))
    assert request.headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.anyio
async def test_refused_credentials_are_the_callers_mistake(server: LocalServer) -> None:
    model = served(server, json_reply({"error": "invalid_grant", "error_description": "no such"}, 400))
    with pytest.raises(UserError, match=r"Google refuses the credentials.*no such"):
        await asked(model)


@pytest.mark.anyio
async def test_a_granter_out_of_reach_is_no_mistake() -> None:
    info = account()
    provider = GoogleVertexProvider(service_account_info=info, base_url="http://127.0.0.1:1", max_retries=0)
    with pytest.raises(UnexpectedModelBehavior, match="no access token from Google"):
        await asked(GeminiModel("gemini-2.5-flash", provider=provider))


@pytest.mark.anyio
async def test_no_error_shows_a_token(server: LocalServer) -> None:
    model = served(server, reply=json_reply({"error": {"message": f"bad token {TOKEN}"}}, 403))
    with pytest.raises(ModelHTTPError) as raised:
        await asked(model)
    assert "[redacted]" in str(raised.value)
    assert not any(TOKEN in text or private_key()[100:150] in text for text in seen(raised.value))
    assert TOKEN not in repr(model)
