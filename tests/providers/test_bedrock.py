from __future__ import annotations

import json
import sys
from pathlib import Path

import httpx
import pytest

from agentgraph.exceptions import UserError
from agentgraph.models import infer_model
from agentgraph.models.bedrock import BedrockConverseModel
from agentgraph.providers import Provider, infer_provider
from agentgraph.providers.bedrock import BedrockProvider
from tests.models.bedrock_service import is_signed
from tests.models.local_server import Received

ID, SECRET, TOKEN = "AKIDEXAMPLE", "made/up+secret0123456789", "made-up-session-token"
URL = "https://bedrock-runtime.eu-west-1.amazonaws.com/model/amazon.nova-lite-v1%3A0/converse"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without an account of AWS; the folder of its configuration."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return tmp_path


def sent(provider: Provider, **headers: str) -> Received:
    """A request as the provider lets it out."""
    request = httpx.Request("POST", URL, content=b"{}", headers={"content-type": "application/json", **headers})
    auth = provider.auth
    assert auth is not None
    next(auth.sync_auth_flow(request))
    path = request.url.raw_path.decode()
    return Received(path, {name.lower(): value for name, value in request.headers.items()}, request.content)


def test_requests_are_signed_with_the_keys_given() -> None:
    provider = BedrockProvider(region_name="eu-west-1", aws_access_key_id=ID, aws_secret_access_key=SECRET)
    received = sent(provider)
    assert is_signed(received, SECRET, "eu-west-1")
    assert not is_signed(received, "another secret", "eu-west-1")
    assert "x-amz-security-token" not in received.headers
    assert SECRET not in json.dumps(dict(received.headers))


def test_temporary_keys_come_with_a_token() -> None:
    provider = BedrockProvider(
        region_name="eu-west-1", aws_access_key_id=ID, aws_secret_access_key=SECRET, aws_session_token=TOKEN
    )
    received = sent(provider)
    assert received.headers["x-amz-security-token"] == TOKEN
    assert is_signed(received, SECRET, "eu-west-1")
    assert provider.redact(f"{TOKEN} and {SECRET}") == "[redacted] and [redacted]"


def test_an_own_authorization_stays() -> None:
    provider = BedrockProvider(region_name="eu-west-1", aws_access_key_id=ID, aws_secret_access_key=SECRET)
    assert sent(provider, authorization="own").headers["authorization"] == "own"


def test_keys_and_region_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    model = infer_model("bedrock:amazon.nova-lite-v1:0")
    assert isinstance(model, BedrockConverseModel)
    assert (model.model_name, model.system) == ("amazon.nova-lite-v1:0", "bedrock")
    assert model.base_url == "https://bedrock-runtime.us-east-1.amazonaws.com"
    monkeypatch.setenv("AWS_REGION", "cn-north-1")
    provider = infer_provider("bedrock")
    assert provider.base_url == "https://bedrock-runtime.cn-north-1.amazonaws.com.cn"
    assert is_signed(sent(provider), SECRET, "cn-north-1")


def test_keys_and_region_come_from_a_profile(environment: Path) -> None:
    keys = f"aws_access_key_id = {ID}\naws_secret_access_key = {SECRET}"
    (environment / "config").write_text(f"[profile work]\nregion = eu-west-1\n{keys}\n")
    provider = BedrockProvider(profile_name="work")
    assert provider.region == "eu-west-1"
    assert is_signed(sent(provider), SECRET, "eu-west-1")


def test_a_key_of_the_service_is_sent_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore.session", None)  # it is not needed
    assert (
        sent(BedrockProvider(region_name="x", api_key="bedrock-key")).headers["authorization"] == "Bearer bedrock-key"
    )
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "other-key")
    provider = BedrockProvider(region_name="x", base_url="http://localhost:1")
    assert sent(provider).headers["authorization"] == "Bearer other-key"
    assert provider.redact("other-key") == "[redacted]"
    assert BedrockConverseModel("m", provider=provider).base_url == "http://localhost:1"


def test_a_key_of_the_service_needs_a_region_too(environment: Path) -> None:
    with pytest.raises(UserError, match="set AWS_REGION"):
        BedrockProvider(api_key="bedrock-key")
    (environment / "config").write_text("[default]\nregion = eu-west-1\n")
    assert BedrockProvider(api_key="bedrock-key").region == "eu-west-1"


def test_an_account_that_was_asked_for_goes_before_a_key_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "other-key")
    provider = BedrockProvider(region_name="eu-west-1", aws_access_key_id=ID, aws_secret_access_key=SECRET)
    assert is_signed(sent(provider), SECRET, "eu-west-1")


def test_missing_keys_are_named() -> None:
    with pytest.raises(UserError, match="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        sent(BedrockProvider(region_name="eu-west-1"))


def test_keys_that_cannot_be_had_say_why(environment: Path) -> None:
    (environment / "config").write_text(
        "[default]\nrole_arn = arn:aws:iam::123456789012:role/x\ncredential_source = Environment\n"
    )
    with pytest.raises(UserError, match="what was found cannot be used"):
        sent(BedrockProvider(region_name="eu-west-1"))


def test_half_a_key_is_the_callers_mistake() -> None:
    with pytest.raises(UserError, match="belong together"):
        BedrockProvider(region_name="eu-west-1", aws_access_key_id=ID)


def test_an_unknown_profile_is_the_callers_mistake() -> None:
    with pytest.raises(UserError, match="nobody"):
        BedrockProvider(region_name="eu-west-1", profile_name="nobody")


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(UserError, match=r"agentgraph\[bedrock\]"):
        BedrockProvider(region_name="eu-west-1")
