from __future__ import annotations

from typing import Any

import pytest

from agentgraph.exceptions import UserError
from agentgraph.messages import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
    VideoUrl,
)
from agentgraph.model import ModelRequestParameters, ToolDefinition
from agentgraph.models.openai_request import encode, streamed
from agentgraph.models.openai_settings import OpenAIModelSettings, profile_of
from agentgraph.providers.services import SERVICES, ChatProfile
from agentgraph.settings import ModelSettings

JSON = dict[str, Any]  # Any: JSON

TOOL = ToolDefinition("weather", "Tells it.", {"type": "object", "properties": {}})
TIME = ToolDefinition("time", "Tells it.", {"type": "object", "properties": {}})
FINAL = ToolDefinition("final_result", "Ends it.", {"type": "object", "properties": {}})


def body(
    *messages: ModelMessage,
    settings: ModelSettings | None = None,
    parameters: ModelRequestParameters | None = None,
    model_name: str = "gpt-4o",
    service: str = "openai",
) -> JSON:
    profile = profile_of(SERVICES[service].chat, model_name)
    return encode(model_name, messages, settings, parameters or ModelRequestParameters(), profile)


def said(*content: UserContent) -> Any:  # Any: JSON
    return body(ModelRequest([UserPromptPart(list(content))]))["messages"][0]["content"]


def settled(settings: ModelSettings, model_name: str = "gpt-4o", service: str = "openai") -> JSON:
    fields = body(settings=settings, model_name=model_name, service=service)
    return {name: value for name, value in fields.items() if name not in {"model", "messages", "stream"}}


def test_answers_come_right_after_their_calls() -> None:
    messages = body(
        ModelResponse([ToolCallPart("weather", {"city": "Oslo"}, "a"), TextPart("Wait"), TextPart("please")]),
        ModelRequest([UserPromptPart("And?"), ToolReturnPart("weather", {"c": 4}, "a"), SystemPromptPart("Be brief.")]),
    )["messages"]
    assert [message["role"] for message in messages] == ["assistant", "tool", "user", "system"]
    assert messages[0]["content"] == "Wait\n\nplease"
    assert messages[1] == {"role": "tool", "tool_call_id": "a", "content": '{"c":4}'}


def test_a_retry_of_a_call_answers_it() -> None:
    messages = body(
        ModelResponse([ToolCallPart("weather", "", "a")]),
        ModelRequest([RetryPromptPart("which city?", tool_name="weather", tool_call_id="a")]),
    )["messages"]
    assert messages[0]["tool_calls"][0]["function"] == {"name": "weather", "arguments": "{}"}
    assert (messages[1]["role"], messages[1]["tool_call_id"]) == ("tool", "a")
    assert "which city?" in messages[1]["content"]


def test_a_retry_of_a_text_is_said_by_the_user() -> None:
    messages = body(ModelResponse([TextPart("12")]), ModelRequest([RetryPromptPart("too short")]))["messages"]
    assert messages[1]["role"] == "user"
    assert messages[1]["content"].startswith("too short")


def test_an_empty_reply_is_not_sent() -> None:
    messages = body(ModelRequest([UserPromptPart("Hi")]), ModelResponse([TextPart(""), ThinkingPart("hm")]))["messages"]
    assert messages == [{"role": "user", "content": "Hi"}]


def test_documents_that_are_text_are_sent_as_text() -> None:
    [part] = said(BinaryContent(b"a,b", "text/csv"))
    assert part == {"type": "text", "text": '<document media_type="text/csv">\na,b\n</document>'}


def test_audio_is_named_by_its_format() -> None:
    [part] = said(BinaryContent(b"x", "audio/mpeg"))
    assert part == {"type": "input_audio", "input_audio": {"data": "eA==", "format": "mp3"}}


@pytest.mark.parametrize(
    "content",
    [
        AudioUrl("https://example.com/a.mp3"),
        VideoUrl("https://example.com/a.mp4"),
        DocumentUrl("https://example.com/a.pdf"),
        BinaryContent(b"x", "video/mp4"),
        BinaryContent(b"x", "audio/flac"),
    ],
)
def test_what_the_protocol_cannot_take_is_the_callers_mistake(content: UserContent) -> None:
    with pytest.raises(UserError, match=r"(this service's chat|speaks OpenAI's protocols)"):
        said(content)


def test_all_settings_are_mapped() -> None:
    settings = ModelSettings(
        max_tokens=5,
        temperature=0.5,
        top_p=0.9,
        seed=1,
        presence_penalty=0.1,
        frequency_penalty=0.2,
        logit_bias={"50256": -100},
        stop_sequences=["END"],
        parallel_tool_calls=False,
        timeout=3,
        extra_headers={"x-y": "z"},
    )
    assert settled(settings) == {
        "max_completion_tokens": 5,
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 1,
        "presence_penalty": 0.1,
        "frequency_penalty": 0.2,
        "logit_bias": {"50256": -100},
        "stop": ["END"],
    }


def test_prefixed_settings_lose_their_prefix() -> None:
    settings = OpenAIModelSettings(openai_reasoning_effort="low", openai_store=True, openai_service_tier="flex")
    assert settled(settings) == {"reasoning_effort": "low", "store": True, "service_tier": "flex"}


def test_extra_body_wins_and_has_to_be_a_mapping() -> None:
    assert settled(ModelSettings(seed=1, extra_body={"seed": 2}))["seed"] == 2
    with pytest.raises(UserError, match="extra_body"):
        settled(ModelSettings(extra_body=[1]))


@pytest.mark.parametrize(("asked", "effort"), [("low", "low"), (1000, "low"), (8000, "medium"), (30000, "high")])
def test_thinking_becomes_an_effort(asked: Any, effort: str) -> None:  # Any: an effort or a number
    assert settled(ModelSettings(thinking=asked), "gpt-5-mini") == {"reasoning_effort": effort}


def test_each_service_is_asked_to_think_in_its_own_words() -> None:
    assert settled(ModelSettings(thinking="high"), "gpt-4o") == {}
    assert settled(ModelSettings(thinking="high"), "x/y", "openrouter") == {"reasoning": {"effort": "high"}}
    assert settled(ModelSettings(thinking=99), "x/y", "openrouter") == {"reasoning": {"max_tokens": 99}}
    assert settled(ModelSettings(thinking="high"), "glm-4.7", "zai") == {"thinking": {"type": "enabled"}}
    both = {"thinking": {"type": "enabled"}, "reasoning_effort": "low"}
    assert settled(ModelSettings(thinking="low"), "deepseek-v4-pro", "deepseek") == both
    assert settled(ModelSettings(thinking="high"), "grok-4.3", "xai") == {"reasoning_effort": "high"}


@pytest.mark.parametrize("name", ["grok-3", "grok-4", "grok-4-1-fast-reasoning", "grok-4.20", "grok-code-fast-1"])
def test_models_that_refuse_an_effort_are_not_asked_for_one(name: str) -> None:
    assert settled(ModelSettings(thinking="high"), name, "xai") == {}


def test_what_a_service_refuses_is_left_out() -> None:
    settings = ModelSettings(presence_penalty=1, frequency_penalty=1, logit_bias={"1": 1}, seed=1)
    assert settled(settings, "gpt-oss-120b", "cerebras") == {"seed": 1}


@pytest.mark.parametrize(
    "name", ["o3", "o4-mini", "gpt-5", "gpt-5-mini", "openai/gpt-5-nano", "gpt-5.6-luna", "gpt-6.1-sol", "gpt-10"]
)
def test_models_that_always_think_take_no_sampling(name: str) -> None:
    settings = OpenAIModelSettings(temperature=0, stop_sequences=["x"], openai_logprobs=True, seed=1)
    assert settled(settings, name) == {"seed": 1}


@pytest.mark.parametrize("name", ["gpt-4o", "gpt-5-chat-latest", "gpt-5.1", "grok-4"])
def test_other_models_take_sampling(name: str) -> None:
    assert settled(ModelSettings(temperature=0), name) == {"temperature": 0}


def test_models_that_think_if_asked_take_sampling_if_not() -> None:
    none = OpenAIModelSettings(temperature=0, openai_reasoning_effort="none")
    assert settled(none, "gpt-5.4-mini") == {"reasoning_effort": "none", "temperature": 0}
    assert settled(ModelSettings(temperature=0, thinking="low"), "gpt-5.4-mini") == {"reasoning_effort": "low"}


def test_services_bound_replies_by_different_fields() -> None:
    assert settled(ModelSettings(max_tokens=5), "deepseek-chat", "deepseek") == {"max_tokens": 5}


def test_system_prompts_are_said_by_the_user_where_there_is_no_such_role() -> None:
    messages = body(ModelRequest([SystemPromptPart("Be kind.")]), model_name="o1-mini")["messages"]
    assert messages == [{"role": "user", "content": "Be kind."}]


def choice(tool_choice: Any = None, *, text: bool = True, service: str = "openai") -> JSON:  # Any: any choice
    settings = ModelSettings() if tool_choice is None else ModelSettings(tool_choice=tool_choice)
    parameters = ModelRequestParameters([TOOL, TIME], allow_text_result=text, result_tools=[FINAL])
    fields = body(settings=settings, parameters=parameters, service=service)
    return {"choice": fields["tool_choice"], "tools": [tool["function"]["name"] for tool in fields["tools"]]}


ALL = ["weather", "time", "final_result"]


def test_a_tool_has_to_be_called_where_text_is_no_result() -> None:
    assert choice() == {"choice": "auto", "tools": ALL}
    assert choice(text=False) == {"choice": "required", "tools": ALL}
    assert choice("none", text=False) == {"choice": "none", "tools": ALL}
    assert choice(text=False, service="zai") == {"choice": "auto", "tools": ALL}


def test_no_call_can_be_demanded_from_the_newest_claude_wherever_it_is_served() -> None:
    for name, wanted in (("anthropic/claude-opus-5", "required"), ("anthropic/claude-opus-5.5", "auto")):
        fields = body(
            settings=ModelSettings(tool_choice="required"),
            parameters=ModelRequestParameters([TOOL]),
            model_name=name,
            service="openrouter",
        )
        assert fields["tool_choice"] == wanted


def test_a_choice_that_a_service_does_not_know_is_left_out() -> None:
    choices: list[tuple[Any, list[str]]] = [
        ("required", ["weather", "time"]),
        (["time"], ["time"]),
        ("none", []),
    ]  # Any: any choice
    for asked, names in choices:
        settings = ModelSettings(tool_choice=asked)
        fields = body(settings=settings, parameters=ModelRequestParameters([TOOL, TIME]), service="perplexity")
        assert [tool["function"]["name"] for tool in fields.get("tools", [])] == names
        assert "tool_choice" not in fields


def test_one_of_the_named_tools_has_to_be_called() -> None:
    time, final = ({"type": "function", "function": {"name": name}} for name in ("time", "final_result"))
    assert choice(["time"]) == {"choice": time, "tools": ALL}
    allowed = {"mode": "required", "tools": [time, final]}
    assert choice(["time", "final_result"])["choice"] == {"type": "allowed_tools", "allowed_tools": allowed}
    assert choice(["time", "weather"], service="ollama") == {"choice": "required", "tools": ["weather", "time"]}
    assert choice(["time"], service="zai") == {"choice": "auto", "tools": ["time"]}


@pytest.mark.parametrize("names", [["tiem"], []])
def test_a_choice_among_unknown_tools_is_the_callers_mistake(names: list[str]) -> None:
    with pytest.raises(UserError, match="there are weather, time, final_result"):
        choice(names)


def test_parallel_calls_are_only_a_matter_of_tools() -> None:
    fields = body(settings={"parallel_tool_calls": False}, parameters=ModelRequestParameters([TOOL]))
    assert fields["parallel_tool_calls"] is False


@pytest.mark.parametrize(
    ("service", "fields"),
    [
        ("openai", {}),
        ("deepseek", {"reasoning_content": "hm\n\nyes"}),
        ("ollama", {"reasoning": "hm\n\nyes"}),
        ("openrouter", {"reasoning": "hm\n\nyes"}),
    ],
)
def test_thinking_goes_back_as_each_service_wants_it(service: str, fields: JSON) -> None:
    reply = ModelResponse([ThinkingPart("hm"), ThinkingPart("yes"), TextPart("4")])
    [message] = body(reply, service=service)["messages"]
    assert message == {"role": "assistant", "content": "4", **fields}


def test_blocks_of_thinking_go_back_as_they_came() -> None:
    blocks = [{"type": "reasoning.text", "text": "hm", "signature": "s"}]
    reply = ModelResponse([ThinkingPart("hm"), TextPart("4")], provider_details={"reasoning_details": blocks})
    [message] = body(reply, service="openrouter")["messages"]
    assert message["reasoning_details"] == blocks


@pytest.mark.parametrize("service", ["deepseek", "ollama", "openrouter"])
def test_a_reply_without_thinking_goes_to_any_service(service: str) -> None:
    call = ModelResponse([ToolCallPart("f", "{}", "a")])
    messages = body(call, ModelRequest([ToolReturnPart("f", 1, "a")]), service=service)["messages"]
    assert messages[0].get("reasoning_content", "") == ""
    assert body(ModelResponse([TextPart("4")]), service=service)["messages"] == [{"role": "assistant", "content": "4"}]


def test_a_service_that_reports_usage_anyway_is_not_asked_to() -> None:
    assert streamed({"model": "x", "stream": False}, ChatProfile(stream_usage=False)) == {"model": "x", "stream": True}
