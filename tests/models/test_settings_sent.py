"""Every common setting, in every protocol: which field it becomes, or that it is dropped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import cast

import httpx
import pytest

from agentgraph.exceptions import ModelHTTPError
from agentgraph.messages import ModelMessage, ModelRequest, UserPromptPart
from agentgraph.settings import ModelSettings
from tests.models.conversation import tools
from tests.models.protocols import KEY, PROTOCOLS, Protocol
from tests.models.recordings import JSON

pytestmark = pytest.mark.anyio

PROMPT: list[ModelMessage] = [ModelRequest([UserPromptPart("Hello")])]
GIVEN = ModelSettings(
    max_tokens=4000,
    temperature=0.5,
    top_p=0.98,
    timeout=7,
    parallel_tool_calls=False,
    seed=1,
    presence_penalty=0.1,
    frequency_penalty=0.2,
    logit_bias={"50256": -100},
    stop_sequences=["END"],
    thinking="low",
    tool_choice="required",
    downloads={"max_bytes": 9},
    extra_headers={"x-team": "blue"},
    extra_body={"of": "mine"},
)
ELSEWHERE = {"timeout", "downloads", "extra_headers"}
"""What is no part of the body."""
CHAT: Mapping[str, str] = {name: name for name in GIVEN if name not in ELSEWHERE}
SENT: Mapping[str, Mapping[str, str]] = {
    # A model that never thinks is not asked to.
    "openai": {**CHAT, "max_tokens": "max_completion_tokens", "stop_sequences": "stop", "thinking": ""},
    # A model that always thinks takes no sampling; and the protocol knows no seed, penalties, biases and stops.
    "openai-responses": {
        "max_tokens": "max_output_tokens",
        "parallel_tool_calls": "parallel_tool_calls",
        "thinking": "reasoning",
        "tool_choice": "tool_choice",
    },
    "anthropic": {
        "max_tokens": "max_tokens",
        "temperature": "temperature",
        "top_p": "top_p",
        "parallel_tool_calls": "tool_choice",
        "stop_sequences": "stop_sequences",
        "thinking": "thinking",
        "tool_choice": "tool_choice",
    },
    "google-gla": {
        "max_tokens": "generationConfig",
        "temperature": "generationConfig",
        "top_p": "generationConfig",
        "seed": "generationConfig",
        "presence_penalty": "generationConfig",
        "frequency_penalty": "generationConfig",
        "stop_sequences": "generationConfig",
        "thinking": "generationConfig",
        "tool_choice": "toolConfig",
    },
    "mistral": {**CHAT, "seed": "random_seed", "stop_sequences": "stop", "thinking": "", "logit_bias": ""},
    "groq": {
        **CHAT,
        "max_tokens": "max_completion_tokens",
        "stop_sequences": "stop",
        "thinking": "reasoning_effort",
        "logit_bias": "",
    },
    "cohere": {
        **CHAT,
        "top_p": "p",
        "parallel_tool_calls": "",
        "logit_bias": "",
        "thinking": "",
    },
    "bedrock": {
        "max_tokens": "inferenceConfig",
        "temperature": "inferenceConfig",
        "top_p": "inferenceConfig",
        "stop_sequences": "inferenceConfig",
        "tool_choice": "toolConfig",
    },
}
"""By protocol and setting: the field of the body that it changes."""


async def sent(protocol: Protocol, settings: ModelSettings) -> httpx.Request:
    requests: list[httpx.Request] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(400)

    async with httpx.AsyncClient(transport=httpx.MockTransport(refuse)) as client:
        model = protocol.model(protocol.provider(api_key=KEY, base_url="http://there", http_client=client))
        with suppress(ModelHTTPError):
            await model.request(PROMPT, settings, tools("f"))
    [request] = requests
    return request


async def body(protocol: Protocol, settings: ModelSettings) -> JSON:
    read: JSON = json.loads((await sent(protocol, settings)).content)
    return read


def one_by_one() -> Iterator[tuple[str, ModelSettings]]:
    for name, value in GIVEN.items():
        yield name, cast("ModelSettings", {name: value})  # cast: a part of them


def test_every_common_setting_and_every_protocol_is_here() -> None:
    assert GIVEN.keys() == ModelSettings.__annotations__.keys()
    assert SENT.keys() == {protocol.name for protocol in PROTOCOLS}


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=[protocol.name for protocol in PROTOCOLS])
async def test_each_setting_changes_the_field_that_it_stands_for(protocol: Protocol) -> None:
    plain = await body(protocol, {})
    changed: dict[str, str] = {}
    for name, settings in one_by_one():
        given = await body(protocol, settings)
        changed[name] = " ".join(key for key in {**plain, **given} if plain.get(key) != given.get(key))
    of_all = {**dict.fromkeys(GIVEN, ""), **SENT[protocol.name], "extra_body": "of"}
    assert changed == of_all


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=[protocol.name for protocol in PROTOCOLS])
async def test_headers_and_patience_are_settings_too(protocol: Protocol) -> None:
    request = await sent(protocol, GIVEN)
    assert request.headers["x-team"] == "blue"
    timeout = cast("dict[str, float | None]", request.extensions["timeout"])  # cast: of httpx
    assert timeout == {"connect": 7, "read": 7, "write": 7, "pool": None}
