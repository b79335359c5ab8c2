from __future__ import annotations

import runpy
import subprocess
import sys
from typing import get_args

import pytest

import agentgraph.models
from agentgraph import Agent
from agentgraph.exceptions import UserError
from agentgraph.models import (
    KnownModelName,
    check_allow_model_requests,
    infer_model,
    override_allow_model_requests,
    register_models,
)
from agentgraph.models.names import protocols, split_name
from agentgraph.models.openai import OpenAIModel
from agentgraph.models.openai_responses import OpenAIResponsesModel
from agentgraph.models.test import TestModel
from tests.shared_data import REPOSITORY


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "DEEPSEEK_API_KEY"):
        monkeypatch.setenv(name, "sk-made-up")


@pytest.mark.parametrize(
    ("name", "service", "model_name"),
    [
        ("openai:gpt-4o", "openai", "gpt-4o"),
        ("gpt-4o", "openai", "gpt-4o"),
        ("o3-mini", "openai", "o3-mini"),
        ("deepseek:deepseek-chat", "deepseek", "deepseek-chat"),
        ("ollama:qwen3:8b", "ollama", "qwen3:8b"),
        ("openai:no-such-model-yet", "openai", "no-such-model-yet"),
    ],
)
def test_a_name_becomes_a_model(name: str, service: str, model_name: str) -> None:
    model = infer_model(name)
    assert isinstance(model, OpenAIModel)
    assert (model.system, model.model_name) == (service, model_name)


@pytest.mark.parametrize(
    "name",
    [
        "gpt-5.4",
        "gpt-5.6-luna",
        "gpt-6-sol",
        "gpt-6.1-terra",
        "gpt-5-pro",
        "gpt-5.3-codex",
        "o3-pro",
        "o4-mini-deep-research",
    ],
)
def test_what_openais_chat_does_not_serve_goes_by_responses(name: str) -> None:
    model = infer_model(f"openai:{name}")
    assert isinstance(model, OpenAIResponsesModel)
    assert (model.system, model.model_name) == ("openai", name)


@pytest.mark.parametrize("name", ["gpt-4.1", "gpt-4o-mini", "gpt-5", "gpt-5.3", "gpt-5.4-chat-latest", "o3"])
def test_what_openais_chat_serves_goes_there(name: str) -> None:
    assert isinstance(infer_model(f"openai:{name}"), OpenAIModel)


def test_a_model_is_handed_back() -> None:
    model = TestModel()
    assert infer_model(model) is model


def test_test_is_a_model() -> None:
    assert isinstance(infer_model("test"), TestModel)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("openal:gpt-4o", "did you mean 'openai:gpt-4o'"),
        ("opnai:my-own-tuned-model", "did you mean 'openai:my-own-tuned-model'"),
        ("gtp-4o", "did you mean 'openai:gpt-4o'"),
        ("tset", "did you mean 'test'"),
        ("sonnet", "names are 'provider:name'"),
        ("openai:", "did you mean 'openai:"),
        ("zzz", "names are 'provider:name'"),
        ("", "names are 'provider:name'"),
    ],
)
def test_an_unknown_name_is_answered_by_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(UserError, match=hint) as raised:
        infer_model(name)
    assert f"there is no model {name!r}" in str(raised.value)


def test_the_known_names_are_those_of_the_data_file() -> None:
    written = runpy.run_path(str(REPOSITORY / "known_models" / "write.py"))
    assert written["TARGET"].read_text(encoding="utf-8") == written["source"](), "run `make names`"
    assert list(get_args(KnownModelName)) == written["names"]()


def test_every_service_with_names_of_its_own_has_some_that_are_known() -> None:
    known = {name.partition(":")[0] for name in get_args(KnownModelName)}
    # Two serve whatever somebody has put there, and one has been shut down.
    assert protocols().keys() - known == {"litellm", "vllm", "github"}


def test_every_known_name_has_a_protocol() -> None:
    known = [name for name in get_args(KnownModelName) if name != "test"]
    assert all(split_name(name) is not None for name in known)
    assert known == sorted(set(known))


@pytest.mark.parametrize(
    ("name", "prefix"), [("claude-sonnet-4-5", "anthropic"), ("gemini-2.5-pro", "google-gla"), ("o1", "openai")]
)
def test_families_need_no_prefix(name: str, prefix: str) -> None:
    assert split_name(name) == (prefix, name)


def test_a_program_has_models_of_its_own_by_name() -> None:
    register_models("house", lambda name: TestModel(custom_result_text=name))
    register_models("house", lambda name: TestModel(custom_result_text=f"the {name}"))
    assert Agent("house:big:one").run_sync("Hello").data == "the big:one"
    with pytest.raises(UserError, match=r"there is no model 'house:'.*, house, "):
        infer_model("house:")


@pytest.mark.parametrize("prefix", ["openai", "google-gla", "test", "", "a:b"])
def test_a_prefix_is_a_word_that_is_not_taken(prefix: str) -> None:
    with pytest.raises(UserError, match=r"one of agentgraph's own|is no prefix"):
        register_models(prefix, lambda name: TestModel())


def test_a_protocol_without_a_client_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {**protocols(), "groq": "no_such_module:Model"}
    monkeypatch.setattr("agentgraph.models.names.protocols", lambda: table)
    with pytest.raises(UserError, match="no client for 'groq'"):
        infer_model("groq:x")


def test_a_library_that_a_client_misses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {**protocols(), "groq": "openai:OpenAIModel"}
    monkeypatch.setattr("agentgraph.models.names.protocols", lambda: table)
    monkeypatch.delitem(sys.modules, "agentgraph.models.openai")
    monkeypatch.delitem(sys.modules, "agentgraph.models.chat")
    monkeypatch.setitem(sys.modules, "tenacity", None)
    monkeypatch.delitem(sys.modules, "agentgraph.models.http")
    with pytest.raises(ModuleNotFoundError, match="tenacity"):
        infer_model("groq:x")


def test_requests_are_forbidden_by_an_attribute_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    check_allow_model_requests()
    monkeypatch.setattr(agentgraph.models, "ALLOW_MODEL_REQUESTS", False)
    with pytest.raises(UserError, match="ALLOW_MODEL_REQUESTS is False"):
        check_allow_model_requests()
    with override_allow_model_requests(True):
        check_allow_model_requests()
    assert agentgraph.models.ALLOW_MODEL_REQUESTS is False


def test_an_override_ends_with_its_block_however_that_ends() -> None:
    with pytest.raises(ZeroDivisionError), override_allow_model_requests(False):
        raise ZeroDivisionError
    check_allow_model_requests()


def test_names_load_no_http() -> None:
    program = (
        "import sys; from agentgraph.models import infer_model; infer_model('test'); "
        "print(sorted({'httpx', 'tenacity', 'agentgraph.models.openai'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_package_hands_out_http_clients() -> None:
    from agentgraph.providers.clients import cached_async_http_client

    assert agentgraph.models.cached_async_http_client is cached_async_http_client
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = agentgraph.models.no_such_name  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
