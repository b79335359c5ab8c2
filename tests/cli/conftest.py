"""A command line to call, and a module with an agent to name to it."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from textwrap import dedent
from uuid import uuid4

import pytest

from agentgraph.cli.demo.server import model_server
from tests.cli.calling import CommandLine


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> CommandLine:
    """Calls commands in an empty folder, in this process."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "AGENTGRAPH_STORE",
        "AGENTGRAPH_KEY",
        "AGENTGRAPH_MODEL",
        "COLUMNS",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
    ):
        monkeypatch.delenv(name, raising=False)
    return CommandLine(capfd)


@pytest.fixture
def bot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a module in the current folder, with an agent whose tool can be told to wait."""
    name = f"bot_{uuid4().hex[:8]}"
    (tmp_path / f"{name}.py").write_text(BOT)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield name
    sys.modules.pop(name, None)


@pytest.fixture(scope="session")
def model_url() -> Generator[str]:
    """Where the rule-based model is served."""
    with model_server(pace=0) as url:
        yield url


BOT = dedent('''
    """A small agent for the command line."""

    import sys
    import time
    from dataclasses import dataclass
    from pathlib import Path

    from agentgraph import Agent
    from agentgraph.graph import BaseNode, End, Graph
    from agentgraph.messages import ModelResponse, TextPart, ToolCallPart
    from agentgraph.models.function import FunctionModel


    def answer(messages, info):
        if len(messages) > 1:
            returned = [part.content for part in messages[-1].parts]
            return ModelResponse([TextPart(f"made {', '.join(returned)}")])
        calls = [ToolCallPart(name, {}) for name in ("quick", "slow")]
        return ModelResponse([TextPart("I make both."), *calls])


    agent = Agent(FunctionModel(answer), name="maker")
    needy = Agent(name="needy")


    @agent.tool_plain
    def quick() -> str:
        """Make something at once."""
        with Path("made.txt").open("a") as made:
            made.write("quick\\n")
        return "quick"


    @agent.tool_plain
    def slow() -> str:
        """Make something as soon as there is a file named go."""
        while not Path("go").exists():
            time.sleep(0.01)
        if Path("go").read_text() == "wrong":
            raise ValueError("the go is wrong")
        return "slow"


    def folder():
        return "."


    @dataclass
    class Only(BaseNode[None, None, str]):
        """The only node."""

        async def run(self, ctx) -> End[str]:
            return End("done")


    graph = Graph(nodes=[Only], name="small")

    if __name__ == "__main__":
        agent.run_sync("make", run_id="made", store=sys.argv[1])
''')
