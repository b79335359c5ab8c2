"""What replies cost: by the price list, summed over a run and its children, and limited."""

from __future__ import annotations

import sys
from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from genai_prices import Usage as Tokens, calc_price

from agentgraph import Agent, MemoryStore, RunContext, Usage, UsageLimitExceeded, UsageLimits, UserError
from agentgraph.messages import ModelMessage, ModelResponse
from agentgraph.model import Model, ModelRequestParameters
from agentgraph.models.anthropic import AnthropicModel
from agentgraph.models.bedrock import BedrockConverseModel
from agentgraph.models.fallback import FallbackModel
from agentgraph.models.function import FunctionModel
from agentgraph.models.gemini import GeminiModel
from agentgraph.models.openai import OpenAIModel
from agentgraph.models.prices import cost_of, price_list
from agentgraph.models.test import TestModel
from agentgraph.models.wrapper import WrapperModel
from agentgraph.providers import Provider
from agentgraph.providers.azure import AzureProvider
from agentgraph.providers.bedrock import BedrockProvider
from agentgraph.providers.openai import OpenAIProvider
from agentgraph.settings import ModelSettings
from tests.models.conftest import KEY
from tests.models.local_server import LocalServer, chat_events, chat_reply, event_reply

pytestmark = pytest.mark.anyio

GPT = "gpt-4o-2024-08-06"
CHAT = calc_price(Tokens(input_tokens=3, output_tokens=2), GPT, provider_id="openai").total_price
"""What `chat_reply` costs."""
MISSING = r"pip install 'agentgraph\[prices\]'"


class Paid(WrapperModel):
    """Each reply costs a dollar."""

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> tuple[ModelResponse, Usage]:
        reply, usage = await self.wrapped.request(messages, model_settings, model_request_parameters)
        return reply, replace(usage, cost=Decimal(1), priced=1)


async def test_a_run_has_its_cost_plain_and_streamed(server: LocalServer, model: OpenAIModel) -> None:
    server.script(chat_reply(), event_reply(*chat_events("Hel", "lo.")))
    result = await Agent(model).run("Hello")
    assert result.cost() == CHAT > 0
    assert result.usage().total_cost() == CHAT
    async with Agent(model).run_stream("Hello") as response:
        await response.get_data()
        assert response.cost() == CHAT


def request_of(provider: Provider, asked: str, told: str | None = None, **details: int) -> Decimal | None:
    reply = ModelResponse([], told, datetime(2026, 6, 1, tzinfo=UTC))
    return cost_of(reply, Usage(1, 1000, 10, 1010, details or None), provider, asked)


def listed(place: str, name: str, **parts: int) -> Decimal:
    tokens = Tokens(input_tokens=1000, output_tokens=10, **parts)
    when = datetime(2026, 6, 1, tzinfo=UTC)
    return calc_price(tokens, name, provider_id=place, genai_request_timestamp=when).total_price


def openai(service: str = "openai", base_url: str | None = None) -> OpenAIProvider:
    return OpenAIProvider(service=service, api_key=KEY, base_url=base_url)


def test_a_provider_is_found_by_its_address_first() -> None:
    elsewhere = openai(base_url="https://api.deepseek.com")
    assert request_of(elsewhere, "deepseek-chat") == listed("deepseek", "deepseek-chat")


def test_behind_a_gateway_the_service_is_meant() -> None:
    gateway = openai(base_url="https://models.example.com/v1")
    assert request_of(gateway, "gpt-4o") == listed("openai", "gpt-4o")
    assert request_of(openai("xai", "https://models.example.com/v1"), "grok-4") == listed("x-ai", "grok-4")


def test_the_model_that_answered_is_meant_else_the_one_that_was_asked() -> None:
    assert request_of(openai(), "gpt-4o", "gpt-4o-mini") == listed("openai", "gpt-4o-mini")
    assert request_of(openai(), "gpt-4o", "house-name") == listed("openai", "gpt-4o")
    assert request_of(openai(), "house-name") is None


def test_tokens_with_a_price_of_their_own_are_told_apart() -> None:
    cached = request_of(openai(), "gpt-4o", cache_read_tokens=900, reasoning_tokens=5)
    assert cached == listed("openai", "gpt-4o", cache_read_tokens=900)
    assert listed("openai", "gpt-4o", cache_read_tokens=900) < listed("openai", "gpt-4o")


def test_without_counts_or_with_contradicting_ones_there_is_no_price() -> None:
    assert request_of(openai(), "gpt-4o", cache_read_tokens=2000) is None
    assert cost_of(ModelResponse([]), Usage(), openai(), "gpt-4o") is None


@pytest.mark.parametrize(
    "model",
    [
        AnthropicModel("claude-sonnet-4-5", api_key=KEY),
        GeminiModel("gemini-2.5-flash", api_key=KEY),
        BedrockConverseModel("amazon.nova-pro-v1:0", provider=BedrockProvider(region_name="eu-west-1", api_key=KEY)),
        OpenAIModel("grok-4", provider="xai", api_key=KEY),
        OpenAIModel("gpt-4o", provider=AzureProvider(azure_endpoint="https://x.openai.azure.com", api_key=KEY)),
        TestModel(),
        FunctionModel(lambda messages, info: ModelResponse([])),
        FallbackModel(TestModel(), OpenAIModel("gpt-4o", api_key=KEY)),
        WrapperModel(TestModel()),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_price_is_known(model: Model) -> None:
    assert model.price_problem() is None


def test_an_unknown_price_is_unknown_and_not_zero(server: LocalServer) -> None:
    server.script(chat_reply())
    model = OpenAIModel("house-model", provider="vllm", api_key=KEY, base_url=server.url)
    result = Agent(model).run_sync("Hello")
    assert result.cost() is None
    assert result.usage().cost == 0
    assert (result.usage() + Usage(1, cost=Decimal(1), priced=1)).total_cost() is None


class Mute(TestModel):
    def price_problem(self) -> str | None:
        return Model.price_problem(self)


LIMITS = UsageLimits(cost_limit=Decimal("0.5"))


async def test_a_cost_limit_needs_a_price() -> None:
    house = OpenAIModel("house-model", provider="vllm", base_url="http://127.0.0.1:1")
    with pytest.raises(UserError, match=r"has a `cost_limit`, but no price is known for 'house-model' of 'vllm'"):
        await Agent(house).run("Hello", usage_limits=LIMITS)
    with pytest.raises(UserError, match="house-model"):
        await Agent(FallbackModel(TestModel(), house)).run("Hello", usage_limits=LIMITS)
    with pytest.raises(UserError, match="Mute does not tell what its replies cost"):
        await Agent(Mute()).run("Hello", usage_limits=LIMITS)


@pytest.fixture
def no_price_list(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    price_list.cache_clear()
    yield
    price_list.cache_clear()


@pytest.mark.usefixtures("no_price_list")
async def test_without_the_price_list_a_cost_limit_says_what_to_install(
    server: LocalServer, model: OpenAIModel
) -> None:
    server.script(chat_reply())
    with pytest.raises(UserError, match=MISSING):
        await Agent(model).run("Hello", usage_limits=LIMITS)
    assert (await Agent(model).run("Hello")).cost() is None


def clock() -> str:
    return "12:00"


async def test_nothing_is_asked_once_the_limit_is_spent() -> None:
    agent, usage = Agent(Paid(TestModel()), tools=[clock], store=MemoryStore()), Usage()
    limits = UsageLimits(cost_limit=Decimal(1))
    with pytest.raises(UsageLimitExceeded, match="cost_limit=1 US dollars is reached: 1 are spent") as caught:
        await agent.run("What time is it?", usage_limits=limits, usage=usage, run_id="time")
    assert (usage.requests, usage.cost, caught.value.run_id) == (1, Decimal(1), "time")
    result = await agent.run(resume="time", usage_limits=UsageLimits(cost_limit=Decimal(2)))
    assert (result.cost(), result.usage().requests) == (Decimal(2), 2)


async def test_a_reply_over_the_limit_fails_the_run() -> None:
    with pytest.raises(UsageLimitExceeded, match=r"cost_limit=0.5 US dollars is exceeded: 1 are spent"):
        await Agent(Paid(TestModel())).run("Hello", usage_limits=LIMITS)


async def test_a_stream_ends_when_it_has_told_more_than_the_limit(server: LocalServer, model: OpenAIModel) -> None:
    server.script(event_reply(*chat_events("Hel", "lo.")))
    limits = UsageLimits(cost_limit=CHAT / 2)
    with pytest.raises(UsageLimitExceeded, match="is exceeded"):
        async with Agent(model).run_stream("Hello", usage_limits=limits) as response:
            await response.get_data()


async def test_child_runs_share_cost_and_limit() -> None:
    child = Agent(Paid(TestModel(custom_result_text="12:00")))
    agent = Agent(Paid(TestModel()), store=MemoryStore())

    @agent.tool
    async def ask(ctx: RunContext[None]) -> str:
        return (await child.run("What time is it?", parent=ctx)).data

    assert (await agent.run("Hello")).cost() == 3
    with pytest.raises(UsageLimitExceeded, match="cost_limit=2 US dollars is reached"):
        await agent.run("Hello", usage_limits=UsageLimits(cost_limit=Decimal(2)))


async def test_the_cost_is_stored_with_the_run() -> None:
    store = MemoryStore()
    agent = Agent(Paid(TestModel()), tools=[clock], store=store)
    await agent.run("What time is it?", run_id="time", usage_limits=UsageLimits(cost_limit=Decimal(9)))
    assert (await agent.run(resume="time")).cost() == 2
