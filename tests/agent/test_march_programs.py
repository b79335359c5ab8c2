"""Whole programs, as they were written for the API of March 2025: only their import lines are new."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError
from typing_extensions import TypedDict

from agentgraph import (
    Agent,
    ModelRetry,
    RunContext,
    Tool,
    UnexpectedModelBehavior,
    Usage,
    UserError,
    capture_run_messages,
    format_as_xml,
    models,
)
from agentgraph.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from agentgraph.models.function import AgentInfo, DeltaToolCall, FunctionModel
from agentgraph.models.test import TestModel
from agentgraph.tools import ToolDefinition

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def no_requests() -> Iterator[None]:
    with models.override_allow_model_requests(False):
        yield


# --------------------------------------------------------------------------------------------------------- bank support


@dataclass
class Accounts:
    balances: dict[int, float]

    async def balance(self, *, account: int, pending: float) -> float:
        return self.balances[account] + pending


@dataclass
class BankDeps:
    account: int
    accounts: Accounts


class Advice(BaseModel):
    text: str = Field(description="What the customer is told")
    block_card: bool = Field(description="Whether the card is blocked")
    risk: int = Field(description="From none to certain fraud", ge=0, le=10)


bank = Agent(
    "openai:gpt-4o",
    deps_type=BankDeps,
    result_type=Advice,
    system_prompt=("You work at the counter of a bank.", "Say how risky a question is."),
    defer_model_check=True,
)


@bank.system_prompt
async def customer(ctx: RunContext[BankDeps]) -> str:
    return f"The account is number {ctx.deps.account}."


@bank.tool
async def account_balance(ctx: RunContext[BankDeps], include_pending: bool) -> str:  # noqa: FBT001 - as tools were written
    """Look up what is on the account."""
    pending = 2.5 if include_pending else 0
    return f"{await ctx.deps.accounts.balance(account=ctx.deps.account, pending=pending):.2f}"


def counter_clerk(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    last = messages[-1].parts[-1]
    if isinstance(last, ToolReturnPart):
        advice = {"text": f"You have {last.content}.", "block_card": False, "risk": 1}
        return ModelResponse(parts=[ToolCallPart(info.result_tools[0].name, advice)])
    return ModelResponse(parts=[ToolCallPart("account_balance", {"include_pending": True})])


async def test_a_bank_answers_its_customer() -> None:
    deps = BankDeps(account=7, accounts=Accounts({7: 10}))
    result = await bank.run("What do I have?", deps=deps, model=FunctionModel(counter_clerk))
    assert result.data == Advice(text="You have 12.50.", block_card=False, risk=1)
    request = result.all_messages()[0]
    assert [part.content for part in request.parts if isinstance(part, SystemPromptPart)] == [
        "You work at the counter of a bank.",
        "Say how risky a question is.",
        "The account is number 7.",
    ]


def test_a_bank_is_tested_without_a_service() -> None:
    with bank.override(model=TestModel(custom_result_args={"text": "No.", "block_card": True, "risk": 9})):
        result = bank.run_sync("I lost it!", deps=BankDeps(7, Accounts({7: 10})))
    assert (result.data.block_card, result.data.risk) == (True, 9)
    assert result.usage().requests == 2


# ---------------------------------------------------------------------------------------------------------------- games

roulette = Agent[int, bool]("test", deps_type=int, result_type=bool, system_prompt="Tell whether the square won.")


@roulette.tool
async def spin(ctx: RunContext[int], square: int) -> Literal["winner", "loser"]:
    """Look whether the ball fell on the square."""
    return "winner" if square == ctx.deps else "loser"


def croupier(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    last = messages[-1].parts[-1]
    match last:
        case ToolReturnPart(content=content):
            return ModelResponse([ToolCallPart("final_result", {"response": content == "winner"})])
        case _:
            return ModelResponse([ToolCallPart("spin", '{"square": 18}')])


def test_a_wheel_is_spun() -> None:
    assert roulette.run_sync("Eighteen!", deps=18, model=FunctionModel(croupier)).data is True
    assert roulette.run_sync("Eighteen!", deps=19, model=FunctionModel(croupier)).data is False
    assert roulette.name == "roulette"


class DiceTable:
    """Its tools are methods and functions, given in a list."""

    def __init__(self) -> None:
        tools: list[Tool[str] | Callable[..., Any]] = [
            self.roll,
            Tool(self.player, takes_ctx=True),
            Tool(str.upper, name="shout", description="Say it loud"),
        ]
        self.agent = Agent("test", deps_type=str, tools=tools)

    def roll(self) -> str:
        """Roll the die."""
        return "4"

    def player(self, ctx: RunContext[str]) -> str:
        """Tell who plays."""
        return ctx.deps


async def test_a_die_is_rolled() -> None:
    result = await DiceTable().agent.run("My guess is 4.", deps="Ada", model=TestModel(call_tools=["roll", "player"]))
    assert result.data == '{"roll":"4","player":"Ada"}'
    kinds = [[part.part_kind for part in message.parts] for message in result.all_messages()]
    assert kinds == [["user-prompt"], ["tool-call"] * 2, ["tool-return"] * 2, ["text"]]


# ------------------------------------------------------------------------------------------------------------------ SQL


class Query(BaseModel):
    """A query that answers the question."""

    sql: str
    explanation: str = ""


class NoQuery(BaseModel):
    """The question cannot be answered."""

    reason: str


Answered = Query | NoQuery
sql_agent: Agent[sqlite3.Connection, Answered] = Agent(
    "openai:gpt-4o",
    result_type=Answered,  # type: ignore[arg-type]  # a union is no type to mypy
    deps_type=sqlite3.Connection,
    defer_model_check=True,
)


@sql_agent.system_prompt
def examples() -> str:
    return format_as_xml([{"request": "all names", "sql": "SELECT name FROM people"}])


@sql_agent.result_validator
async def explained(ctx: RunContext[sqlite3.Connection], result: Answered) -> Answered:
    if isinstance(result, NoQuery):
        return result
    try:
        ctx.deps.execute(f"EXPLAIN {result.sql}")
    except sqlite3.Error as error:
        message = f"SQLite says: {error}"
        raise ModelRetry(message) from error
    return result


def two_tries(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    assert [tool.name for tool in info.result_tools] == ["final_result_Query", "final_result_NoQuery"]
    sql = "SELECT name FROM people" if len(messages) > 1 else "SELECT nobody FROM people"
    return ModelResponse([ToolCallPart("final_result_Query", {"sql": sql})])


async def test_a_query_is_written_again_if_it_does_not_work() -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE people (name TEXT)")
    result = await sql_agent.run("All names?", deps=connection, model=FunctionModel(two_tries))
    assert result.data == Query(sql="SELECT name FROM people")
    assert "SQLite says: no such column: nobody" in str(result.all_messages()[2])
    refused = await sql_agent.run("The weather?", deps=connection, model=TestModel(seed=1))
    assert isinstance(refused.data, NoQuery)
    connection.close()


# ----------------------------------------------------------------------------------------------------- chat and streams


async def tell_piece_by_piece(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
    for piece in ("# Title", "\n\n- on", f"e\n- {len(messages)}"):
        yield piece


chat = Agent(FunctionModel(stream_function=tell_piece_by_piece), system_prompt="Be helpful.")


async def test_a_chat_keeps_its_messages_as_json() -> None:
    rows: list[bytes] = []
    for prompt in ("Hello", "Go on"):
        history = [message for row in rows for message in ModelMessagesTypeAdapter.validate_json(row)]
        async with chat.run_stream(prompt, message_history=history) as result:
            shown = [
                ModelResponse(parts=[TextPart(text)], timestamp=result.timestamp()) async for text in result.stream()
            ]
        assert shown[-1].parts == [TextPart(f"# Title\n\n- one\n- {len(history) + 1}")]
        rows.append(result.new_messages_json())
    history = [message for row in rows for message in ModelMessagesTypeAdapter.validate_json(row)]
    assert [message.kind for message in history] == ["request", "response"] * 2
    assert [[part.part_kind for part in message.parts] for message in history[::2]] == [
        ["system-prompt", "user-prompt"],
        ["user-prompt"],
    ]
    assert history == result.all_messages()


async def test_markdown_is_shown_while_it_comes() -> None:
    async with chat.run_stream("Hello") as result:
        assert [delta async for delta in result.stream_text(delta=True, debounce_by=None)][:2] == [
            "# Title",
            "\n\n- on",
        ]
        assert result.is_complete
    async with chat.run_stream("Hello") as result:
        whole = [text async for text in result.stream_text(debounce_by=None)]
    assert whole == ["# Title", "# Title\n\n- on", "# Title\n\n- one\n- 1"]
    assert result.usage() == Usage(requests=1, request_tokens=54, response_tokens=6, total_tokens=60)


class Profile(TypedDict, total=False):
    name: str
    born: date
    bio: str


async def profile_in_pieces(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[dict[int, DeltaToolCall]]:
    yield {0: DeltaToolCall(name=info.result_tools[0].name)}
    for piece in ('{"name": "Bea", ', '"born": "1990-0', '1-28", "bio": "Plays ', 'chess."}'):
        yield {0: DeltaToolCall(json_args=piece)}


PROFILE = Profile(name="Bea", born=date(1990, 1, 28), bio="Plays chess.")


async def test_a_profile_grows_while_it_comes() -> None:
    agent = Agent(FunctionModel(stream_function=profile_in_pieces), result_type=Profile)
    async with agent.run_stream("I am Bea.") as result:
        profiles = [profile async for profile in result.stream(debounce_by=None)]
    assert [len(profile) for profile in profiles] == sorted(len(profile) for profile in profiles)
    assert profiles[-1] == PROFILE
    seen: list[Profile] = []
    async with agent.run_stream("I am Bea.") as result:
        async for message, last in result.stream_structured(debounce_by=0.01):
            try:
                seen.append(await result.validate_structured_result(message, allow_partial=not last))
            except ValidationError:
                continue
    assert seen[-1] == PROFILE


# ---------------------------------------------------------------------------------------------------------------- tests

forecaster = Agent("openai:gpt-4o", deps_type=int, defer_model_check=True)


@forecaster.tool
def forecast(ctx: RunContext[int], place: str, day: date) -> str:
    if day.year < ctx.deps:
        message = "That day is over."
        raise ModelRetry(message)
    return f"Rain in {place}"


def asks_twice(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    match messages[-1].parts[-1]:
        case ToolReturnPart(content=content):
            return ModelResponse(parts=[TextPart(f"I hear: {content}.")])
        case part:
            year = 2020 if isinstance(part, UserPromptPart) else 2031
            args = {"place": "Oslo", "day": f"{year}-05-01"}
            return ModelResponse(parts=[ToolCallPart("forecast", args, tool_call_id=str(year))])


async def test_a_program_is_tested_by_its_messages() -> None:
    with capture_run_messages() as messages, forecaster.override(model=FunctionModel(asks_twice), deps=2030):
        result = await forecaster.run("Rain in Oslo?", deps=1)
    assert result.data == "I hear: Rain in Oslo."
    assert messages == result.all_messages()
    request = messages[0]
    assert isinstance(request, ModelRequest)
    assert request == ModelRequest([UserPromptPart("Rain in Oslo?", request.parts[0].timestamp)])  # type: ignore[union-attr]  # that is what it is


async def test_a_real_service_is_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-made-up")
    with pytest.raises(UserError, match="ALLOW_MODEL_REQUESTS"):
        await forecaster.run("Rain in Oslo?", deps=2030)


async def test_the_messages_of_a_run_that_fails_are_there() -> None:
    with capture_run_messages() as messages, pytest.raises(UnexpectedModelBehavior, match="That day is over"):
        await forecaster.run("Rain?", deps=9999, model=TestModel())
    assert [message.kind for message in messages] == ["request", "response", "request", "response"]


async def only_for_adults(ctx: RunContext[int], tool_def: ToolDefinition) -> ToolDefinition | None:
    tool_def.parameters_json_schema["properties"]["name"]["description"] = f"Somebody over {ctx.deps}."
    return tool_def if ctx.deps >= 18 else None


async def test_a_tool_is_prepared_for_each_run() -> None:
    def greet(name: str) -> str:
        return f"hello {name}"

    model = TestModel()
    agent = Agent(model, tools=[Tool(greet, prepare=only_for_adults)], deps_type=int)
    assert (await agent.run("Hello", deps=7)).data == "success (no tool calls)"
    assert (await agent.run("Hello", deps=20)).data == '{"greet":"hello a"}'
    parameters = model.last_model_request_parameters
    assert parameters is not None
    assert "Somebody over 20." in str(parameters.function_tools[0])
