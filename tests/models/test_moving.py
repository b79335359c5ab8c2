"""A conversation that moved through every service, with what each of them recorded, goes to each of them again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest

from agentgraph.exceptions import AgentRunError, UserError
from agentgraph.messages import (
    BinaryContent,
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from tests.models.codecs import CODECS, Codec, recorded
from tests.models.recordings import JSON

IMAGE = BinaryContent(b"picture", "image/png")
NOTE = BinaryContent(b"a note", "text/plain")
PDF = BinaryContent(b"%PDF-1.4", "application/pdf")
SOUND = BinaryContent(b"RIFF", "audio/wav")
FIT = re.compile(r"[A-Za-z0-9_-]{1,64}")
by_name = {codec.name: codec for codec in CODECS}
each_codec = pytest.mark.parametrize("codec", CODECS, ids=list(by_name))


def answers(reply: ModelResponse) -> Iterator[ModelRequestPart]:
    """What comes back for the calls of a reply: every second one was wrong."""
    calls = [part for part in reply.parts if isinstance(part, ToolCallPart)]
    for position, call in enumerate(calls):
        if position % 2:
            yield RetryPromptPart("no", call.tool_name, call.tool_call_id)
        else:
            yield ToolReturnPart(call.tool_name, {"degrees": position}, call.tool_call_id)


@cache
def replies() -> dict[str, list[ModelResponse]]:
    """All that was ever said, by the service that said it."""
    said: dict[str, list[ModelResponse]] = {}
    for codec in CODECS:
        for answer in recorded(codec):
            with suppress(AgentRunError):  # what was refused with a status of success
                said.setdefault(codec.name, []).append(codec.decode(answer))
    return said


@cache
def journey() -> list[ModelMessage]:
    """One conversation in which every service said all of that, in turn, as it comes out of a store."""
    messages: list[ModelMessage] = [ModelRequest([SystemPromptPart("Be brief."), UserPromptPart("Hello")])]
    said = replies()
    for turn in range(max(map(len, said.values()))):
        for own in said.values():
            if turn < len(own):
                content: list[UserContent] = ["And now?", IMAGE, NOTE]
                messages += [own[turn], ModelRequest([*answers(own[turn]), UserPromptPart(content)])]
    return ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json(messages))


def test_the_journey_has_everything_in_it() -> None:
    parts = [part for message in journey() if isinstance(message, ModelResponse) for part in message.parts]
    kinds = [type(part) for part in parts]
    assert kinds.count(ThinkingPart) > 50
    assert kinds.count(ToolCallPart) > 50
    assert kinds.count(NativeToolCallPart) > 30
    assert kinds.count(NativeToolReturnPart) > 30
    assert len([part for part in parts if isinstance(part, ThinkingPart) and part.signature]) > 30


def check_turns(body: JSON, calls: str, answer: str, call_id: str, answer_id: str) -> None:
    """Sides alternate, nothing is blank, and what is called is answered first of all in the next turn."""
    asked: list[str] = []
    assert all(one["role"] != other["role"] for one, other in pairwise(body["messages"]))
    for message in body["messages"]:
        blocks: list[JSON] = message["content"]
        assert blocks
        assert all(block["text"].strip() for block in blocks if isinstance(block.get("text"), str))
        if message["role"] == "user":
            kinds = [answer in block or block.get("type") == answer for block in blocks]
            assert kinds == sorted(kinds, reverse=True)
            told = [block.get(answer, block)[answer_id] for block in blocks[: sum(kinds)]]
            assert sorted(told) == sorted(asked)
            asked = []
            continue
        ours = [block for block in blocks if calls in block or block.get("type") == calls]
        own = [block.get(calls, block) for block in ours if block.get(calls, {}).get("type") != "server_tool_use"]
        asked = [call[call_id] for call in own]
        assert len({*asked}) == len(asked)
        assert all(FIT.fullmatch(each) for each in asked)
    assert asked == []


def anthropic(body: JSON) -> None:
    check_turns(body, "tool_use", "tool_result", "id", "tool_use_id")
    blocks = [block for message in body["messages"] for block in message["content"]]
    assert all(isinstance(block["input"], dict) for block in blocks if block["type"] == "tool_use")
    assert all(block["signature"] for block in blocks if block["type"] == "thinking")


def bedrock(body: JSON) -> None:
    check_turns(body, "toolUse", "toolResult", "toolUseId", "toolUseId")


def google(body: JSON) -> None:
    contents: list[JSON] = body["contents"]
    assert contents[0]["role"] == "user"
    for one, other in pairwise(contents):
        calls = [part["functionCall"] for part in one["parts"] if "functionCall" in part]
        told = [part["functionResponse"] for part in other["parts"] if "functionResponse" in part]
        assert [(call["id"], call["name"]) for call in calls] == [(each["id"], each["name"]) for each in told]
        assert not calls or next(part for part in one["parts"] if "functionCall" in part)["thoughtSignature"]


def responses(body: JSON) -> None:
    items: list[JSON] = body["input"]
    calls = [item["call_id"] for item in items if item.get("type") == "function_call"]
    told = [item["call_id"] for item in items if item.get("type") == "function_call_output"]
    assert (len({*calls}), sorted(calls)) == (len(calls), sorted(told))
    # A thought is followed by what it led to.
    after = [other for item, other in pairwise(items) if item.get("type") == "reasoning"]
    assert not any(item.get("role") == "user" or item.get("type") == "function_call_output" for item in after)


def chat(body: JSON) -> None:
    asked: list[str] = []
    for message in body["messages"]:
        if message["role"] == "tool":
            asked.remove(message["tool_call_id"])
            continue
        assert asked == []
        assert message.get("content") or message.get("tool_calls")
        asked = [call["id"] for call in message.get("tool_calls", [])]
        assert len({*asked}) == len(asked)
    assert asked == []


def mistral(body: JSON) -> None:
    chat(body)
    assert ("tool", "user") not in pairwise([message["role"] for message in body["messages"]])
    calls = [call for message in body["messages"] for call in message.get("tool_calls", [])]
    assert all(re.fullmatch("[A-Za-z0-9]{9}", call["id"]) for call in calls)


RULES: Mapping[str, Callable[[JSON], None]] = {
    "openai_chat": chat,
    "openrouter": chat,
    "mistral": mistral,
    "groq": chat,
    "openai_responses": responses,
    "anthropic": anthropic,
    "google": google,
    "cohere": chat,
    "bedrock": bedrock,
}


@each_codec
def test_every_service_takes_what_the_others_said(codec: Codec) -> None:
    body = codec.encode(journey())
    RULES[codec.name](body)
    texts = [part.content for message in journey() for part in message.parts if isinstance(part, TextPart)]
    sent = json.dumps(body)
    assert all(json.dumps(text.strip())[1:-1] in sent for text in texts if len(text) > 50)


def seals_of(reply: ModelResponse) -> list[str]:
    """The signatures of thoughts; Gemini's are on other parts, too."""
    others: dict[str, str] = (reply.provider_details or {}).get("signatures", {})
    return [*others.values(), *(part.signature or "" for part in reply.parts if isinstance(part, ThinkingPart))]


@each_codec
def test_what_is_sealed_goes_to_its_own_service_alone(codec: Codec) -> None:
    sent = json.dumps(codec.encode(journey()))
    for name, said in replies().items():
        seals = {seal for reply in said for seal in seals_of(reply) if len(seal) > 20}
        back = [seal for seal in seals if json.dumps(seal)[1:-1] in sent]
        if name != codec.name and {name, codec.name} != {"anthropic", "bedrock"}:
            assert back == [], name
        elif name == codec.name in {"anthropic", "google", "openai_responses"}:
            assert back != [], name


@each_codec
def test_what_services_ran_themselves_goes_to_no_other(codec: Codec) -> None:
    words = {
        "anthropic": ("web_search_tool_result", "mcp_tool_use"),
        "openai_responses": ("web_search_call", "code_interpreter_call", "file_search_call"),
        "google": ("executableCode", "codeExecutionResult"),
    }
    sent = json.dumps(codec.encode(journey()))
    for name, kinds in words.items():
        assert (name == codec.name) == any(f'"{kind}"' in sent for kind in kinds), name


@each_codec
def test_moving_twice_is_the_same_conversation(codec: Codec) -> None:
    assert codec.encode(journey()) == codec.encode(journey())


@each_codec
@pytest.mark.parametrize("name", by_name)
def test_each_reply_alone_may_go_anywhere(codec: Codec, name: str) -> None:
    for reply in replies()[name]:
        for state in ("complete", "interrupted"):
            begin: list[ModelMessage] = [ModelRequest([UserPromptPart("Hello")]), replace(reply, state=state)]
            RULES[codec.name](codec.encode([*begin, ModelRequest([*answers(reply), UserPromptPart("And now?")])]))
            RULES[codec.name](codec.encode([*begin, ModelRequest([UserPromptPart("And now?")])]))


@each_codec
@pytest.mark.parametrize("content", [PDF, SOUND], ids=["PDF", "audio"])
def test_media_go_along_or_are_named(codec: Codec, content: BinaryContent) -> None:
    messages: list[ModelMessage] = [ModelRequest([UserPromptPart(["Look", content])])]
    takes = {"application/pdf": {"groq", "cohere"}, "audio/wav": {"groq", "cohere", "anthropic", "openai_responses"}}
    if codec.name in takes[content.media_type]:
        with pytest.raises(UserError, match=content.media_type):
            codec.encode(messages)
    else:
        assert json.dumps(codec.encode(messages)).count("JVBERi0xLjQ=" if content is PDF else "UklGRg==") == 1
