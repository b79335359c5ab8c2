from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

from agentgraph import Agent, BinaryContent, ModelRetry, RunContext
from agentgraph.graph import BaseNode, End, Graph, GraphRunContext
from agentgraph.messages import (
    ModelMessage,
    ModelResponse,
    ModelResponsePart,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from agentgraph.models.function import AgentInfo, FunctionModel
from agentgraph.models.test import TestModel
from tests.cli.calling import CommandLine


def test_steps_and_messages_are_shown(cli: CommandLine, tmp_path: Path) -> None:
    agent = Agent(TestModel(), name="adder", system_prompt="be exact", store=tmp_path / "a.db")

    @agent.tool_plain
    def add(a: int, b: int) -> int:
        return a + b

    agent.run_sync(["add\x1b[2J", BinaryContent(b"png", "image/png")], run_id="sum")
    out = cli("show", "sum", "--store", "a.db").out
    for said in (
        "adder",
        "succeeded",
        "UserPromptNode",
        "be exact",
        "add␛[2J",
        "[binary]",
        "tool add",
        '{"a":0,"b":0}',
    ):
        assert said in out
    assert add(1, 2) == 3


def test_thinking_and_retries_are_shown(cli: CommandLine, tmp_path: Path) -> None:
    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        call = ToolCallPart("doubt", {})
        searched: list[ModelResponsePart] = [
            NativeToolCallPart("web_search", {"q": "x"}),
            NativeToolReturnPart("web_search", ["found it"]),
        ]
        return ModelResponse([ThinkingPart("hm"), call] if len(messages) == 1 else [*searched, TextPart("well")])

    agent = Agent(FunctionModel(answer), store=tmp_path / "a.db")

    @agent.tool
    def doubt(ctx: RunContext[None]) -> str:
        raise ModelRetry("are you sure?")

    agent.run_sync("go", run_id="doubtful")
    out = cli("show", "doubtful", "--store", "a.db").out
    assert "model thinks" in out
    assert "retry doubt" in out
    assert "are you sure?" in out
    assert doubt is not None


def test_a_failed_run_shows_its_error_and_its_journal(cli: CommandLine, tmp_path: Path) -> None:
    async def fail() -> None:
        both = anyio.Event()
        agent = Agent(TestModel(), store=tmp_path / "a.db")

        @agent.tool_plain
        async def done() -> str:
            both.set()
            return "worth keeping"

        @agent.tool_plain
        async def broken() -> str:
            await both.wait()
            await anyio.wait_all_tasks_blocked()
            raise ValueError("out of order")

        assert done is not broken
        with pytest.raises(ValueError, match="out of order"):
            await agent.run("go", run_id="broken")

    anyio.run(fail)
    out = cli("show", "broken", "--store", "a.db").out
    assert "ValueError: out of order" in out
    assert "journal of step 2, which has not ended" in out
    assert "worth keeping" in " ".join(out.split())
    assert "2, next HandleResponseNode" in out


@dataclass
class Greet(BaseNode[None, None, str]):
    async def run(self, ctx: GraphRunContext[None, None]) -> End[str]:
        return End("hello")


def test_a_run_of_another_graph_shows_its_state(cli: CommandLine, tmp_path: Path) -> None:
    Graph(nodes=[Greet], name="greeter").run_sync(Greet(), store=tmp_path / "a.db", run_id="g")
    out = cli("show", "g", "--store", "a.db").out
    assert "(graph greeter)" in out
    assert "state" in out


def damaged(path: Path, statement: str) -> None:
    Agent(TestModel(), store=path).run_sync("hello", run_id="hurt")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def test_an_edit_of_the_state_is_shown_with_its_process(cli: CommandLine, tmp_path: Path) -> None:
    @dataclass
    class Counted:
        total: int

    @dataclass
    class Count(BaseNode[Counted, None, int]):
        async def run(self, ctx: GraphRunContext[Counted]) -> End[int]:
            raise NotImplementedError

    def more(counted: Counted) -> None:
        counted.total += 1

    async def edit() -> None:
        graph = Graph(nodes=(Count,), name="counting")
        async with graph.iter(Count(), state=Counted(1), store=tmp_path / "a.db", run_id="r"):
            pass
        await graph.edit("r", more, store=tmp_path / "a.db")

    anyio.run(edit)
    out = cli("show", "r", "--store", "a.db").out
    assert "(edit)" in out
    assert f"process {os.getpid()}" in out
    assert '{"total":2}' in out


def test_messages_that_cannot_be_read_are_told_and_the_rest_is_shown(cli: CommandLine, tmp_path: Path) -> None:
    damaged(tmp_path / "a.db", "UPDATE steps SET body = 'x' WHERE seq = 1")
    out = cli("show", "hurt", "--store", "a.db").out
    assert "ModelRequestNode" in out
    assert "step 1: the body cannot be decoded" in out


def test_a_store_that_cannot_be_read_fails_in_one_line(cli: CommandLine, tmp_path: Path) -> None:
    damaged(tmp_path / "a.db", "DROP TABLE steps")
    done = cli("show", "hurt", "--store", "a.db")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "a.db cannot be read" in done.err


def test_an_unknown_run_is_refused(cli: CommandLine, tmp_path: Path) -> None:
    Agent(TestModel(), store=tmp_path / "a.db").run_sync("hello", run_id="there")
    assert "there is no run 'gone'" in cli.refusal("show", "gone", "--store", "a.db")


def test_a_missing_store_is_refused(cli: CommandLine, tmp_path: Path) -> None:
    assert "there is no store agentgraph.db" in cli.refusal("show", "any")
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_followed(cli: CommandLine, tmp_path: Path) -> None:
    agent = Agent(TestModel(), name="adder", store=tmp_path / "a.db")

    @agent.tool
    def add(ctx: RunContext[None], a: int) -> int:
        if ctx.retry == 0:
            message = "once more"
            raise ModelRetry(message)
        return a + 1

    agent.run_sync("add\x1b[2J", run_id="sum")
    done = cli("show", "sum", "--store", "a.db", "--follow")
    assert done.code == 0
    said = (
        "step 1: ModelRequestNode",
        "add␛[2J",
        "model calls",
        "add -> once more",
        "add -> 1",
        '{"add":1}',
        "succeeded",
    )
    assert [each for each in said if each not in done.out] == []
    assert done.out.count('{"add":1}') == 1


def test_a_failed_run_of_a_graph_is_followed(cli: CommandLine, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="broken"):
        broken.run_sync(Breaks(), store=tmp_path / "a.db", run_id="r")
    out = cli("show", "r", "--store", "a.db", "--follow").out
    assert "halfway" in out
    assert "failed: ValueError: broken" in out
    assert cli.refusal("show", "nobody", "--store", "a.db", "--follow")


@dataclass
class Breaks(BaseNode[None, None, str]):
    async def run(self, ctx: GraphRunContext) -> End[str]:
        ctx.emit("halfway")
        raise ValueError("broken")


broken = Graph(nodes=[Breaks], name="broken")
