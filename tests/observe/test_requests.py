"""What the span of a request says, and the metrics and log records beside it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentgraph import Agent, BinaryContent, ModelHTTPError, ModelRetry, ModelSettings
from agentgraph.messages import ModelMessage, ModelResponse, TextPart
from agentgraph.model import ModelRequestParameters
from agentgraph.models.function import AgentInfo, FunctionModel
from agentgraph.models.wrapper import WrapperModel
from agentgraph.usage import Usage
from tests.agent.scripted import call, says
from tests.contexts import SilentModel
from tests.observe.traced import Traced, ids

pytestmark = pytest.mark.anyio


class Service(SilentModel):
    """Says whose it is and how it ended."""

    def __init__(self, base_url: str | None = None, system: str = "google-gla") -> None:
        self._base_url, self._system = base_url, system

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> tuple[ModelResponse, Usage]:
        reply = ModelResponse([TextPart("ok")], "big-1", finish_reason="stop", provider_response_id="id-7")
        return reply, Usage(0, 10, 5, 15, {"cached": 3})

    @property
    def system(self) -> str:
        return self._system

    @property
    def base_url(self) -> str | None:
        return self._base_url


async def test_a_request_tells_its_settings_and_its_reply(traced: Traced) -> None:
    settings: ModelSettings = {
        "max_tokens": 9,
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 1,
        "presence_penalty": 0.1,
        "frequency_penalty": 0.2,
        "stop_sequences": ["."],
    }
    await traced.agent(Service("https://example.com/v1"), model_settings=settings).run("go")
    told = {name: value for name, value in traced.told("chat silent").items() if "messages" not in name}
    assert told == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "gcp.gemini",
        "gen_ai.system": "google-gla",
        "gen_ai.request.model": "silent",
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.seed": 1,
        "gen_ai.request.presence_penalty": 0.1,
        "gen_ai.request.frequency_penalty": 0.2,
        "gen_ai.request.stop_sequences": (".",),
        "gen_ai.output.type": "text",
        "gen_ai.response.model": "big-1",
        "gen_ai.response.id": "id-7",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.details.cached": 3,
        "server.address": "example.com",
        "server.port": 443,
    }


async def test_a_request_for_a_typed_result_tells_so(traced: Traced) -> None:
    await Agent("test", result_type=int, instrument=traced.settings()).run("go", infer_name=False)
    assert traced.told("chat test")["gen_ai.output.type"] == "json"


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("http://user:hidden@host:8000/v1?key=hidden", {"server.address": "host", "server.port": 8000}),
        ("ws://host/hidden", {"server.address": "host"}),
        (None, {}),
    ],
)
async def test_of_an_address_the_host_alone_is_told(url: str | None, server: dict[str, Any], traced: Traced) -> None:
    await traced.agent(Service(url)).run("go")
    told = traced.told("chat silent")
    assert {name: value for name, value in told.items() if name.startswith("server.")} == server
    assert "hidden" not in traced.everything()


async def test_messages_are_told_as_the_conventions_have_them(traced: Traced) -> None:
    agent = traced.agent(says([call("one", "7")], "done"), system_prompt="Be brief.", tools=[one])
    await agent.run("go")
    last = next(span for span in reversed(traced.spans) if span.name.startswith("chat"))
    shown = {name: json.loads(str(value)) for name, value in (last.attributes or {}).items() if "messages" in name}
    user = {"role": "user", "parts": [{"type": "text", "content": "go"}]}
    asked: dict[str, Any] = {"type": "tool_call", "id": "7", "name": "one", "arguments": {}}
    answer = {"type": "tool_call_response", "id": "7", "response": 1}
    done = {"role": "assistant", "parts": [{"type": "text", "content": "done"}]}
    assert shown == {
        "gen_ai.input.messages": [
            user,
            {"role": "assistant", "parts": [asked]},
            {"role": "tool", "parts": [answer]},
        ],
        "gen_ai.output.messages": [done],
    }
    assert json.loads(str((last.attributes or {})["gen_ai.system_instructions"])) == [
        {"type": "text", "content": "Be brief."}
    ]
    assert traced.shown("invoke_agent desk", "gen_ai.input.messages") == [user]
    assert traced.shown("invoke_agent desk", "gen_ai.output.messages") == [done]
    assert traced.told("execute_tool one")["gen_ai.tool.call.result"] == "1"


def one() -> int:
    return 1


async def test_the_run_tells_the_sum_of_its_requests(traced: Traced) -> None:
    await traced.agent(WrapperModel(Service())).run("go", usage=Usage(1, 100, 100, 200))
    assert traced.told("invoke_agent desk")["gen_ai.usage.input_tokens"] == 10


SECRET = "the secret"


@pytest.mark.parametrize("mode", ["attributes", "logs"])
async def test_content_can_be_left_out(mode: Any, traced: Traced) -> None:
    def reply(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if len(messages) == 1:
            return ModelResponse([call("tell", text=SECRET), call("again", text=SECRET), TextPart(SECRET)])
        raise ModelHTTPError(500, "big", {"text": SECRET})

    agent = Agent(
        FunctionModel(reply),
        name="desk",
        system_prompt=SECRET,
        instrument=traced.settings(event_mode=mode, include_content=False),
    )

    @agent.tool_plain
    def tell(text: str) -> str:
        return text

    @agent.tool_plain
    def again(text: str) -> str:
        raise ModelRetry(text)

    async def steps() -> None:
        async with agent.iter(["go", SECRET]) as run:
            run.ctx.emit(SECRET)
            [_ async for _ in run]

    with pytest.raises(ModelHTTPError):
        await steps()
    assert traced.failed() == {
        "execute_tool again": "ModelRetry",
        "chat function:reply:": "ModelHTTPError",
        "invoke_agent desk": "ModelHTTPError",
    }
    assert SECRET not in traced.everything()


async def test_bytes_and_what_a_caller_adds_to_a_request_are_never_told(traced: Traced) -> None:
    settings: ModelSettings = {"extra_headers": {"x-key": SECRET}, "extra_body": {"key": SECRET}}
    picture = BinaryContent(SECRET.encode(), "image/png")
    await traced.agent(says("done"), model_settings=settings).run(["Look", picture])
    assert SECRET not in traced.everything()
    assert "dGhlIHNlY3JldA" not in traced.everything()  # the same in base64


async def test_messages_can_go_into_log_records(traced: Traced) -> None:
    agent = Agent(says("done"), name="desk", instrument=traced.settings(event_mode="logs"))
    await agent.run("go")
    (record,) = traced.records
    request = traced.span("chat function:reply:")
    assert record.event_name == "gen_ai.client.inference.operation.details"
    assert record.span_id == ids(request).span_id
    assert record.attributes["gen_ai.request.model"] == "function:reply:"
    assert record.attributes["gen_ai.output.messages"][0]["parts"][0]["content"] == "done"
    assert [name for name in request.attributes or {} if "messages" in name] == []


async def test_requests_are_measured(traced: Traced) -> None:
    await traced.agent(Service()).run("go")
    points = traced.points()
    (duration,) = points["gen_ai.client.operation.duration"]
    assert (duration.count, (duration.attributes or {})["gen_ai.response.model"]) == (1, "big-1")
    tokens = points["gen_ai.client.token.usage"]
    assert {(point.attributes or {})["gen_ai.token.type"]: point.sum for point in tokens} == {"input": 10, "output": 5}


async def test_failed_requests_are_measured(traced: Traced) -> None:
    def fail(*_: object) -> ModelResponse:
        raise ModelHTTPError(500, "big")

    with pytest.raises(ModelHTTPError):
        await traced.agent(FunctionModel(fail)).run("go")
    points = traced.points()
    (duration,) = points["gen_ai.client.operation.duration"]
    assert (duration.attributes or {})["error.type"] == "ModelHTTPError"
    assert "gen_ai.client.token.usage" not in points


async def test_usage_that_is_not_known_is_not_measured(traced: Traced) -> None:
    await traced.agent(SilentlyDone()).run("go")
    assert "gen_ai.client.token.usage" not in traced.points()
    assert "gen_ai.response.model" not in traced.told("chat silent")


class SilentlyDone(SilentModel):
    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> tuple[ModelResponse, Usage]:
        return ModelResponse([TextPart("ok")]), Usage()
