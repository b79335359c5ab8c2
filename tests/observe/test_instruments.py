"""What an agent's `instrument` may be."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Generator

import pytest
from opentelemetry.trace import NoOpTracer, NoOpTracerProvider, Span, Tracer

from agentgraph import Agent, UserError
from agentgraph.observe import InstrumentationSettings, LoggingObserver
from tests.agent.scripted import says
from tests.observe.traced import Traced
from tests.shared_data import REPOSITORY

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _nothing_is_left_instrumented() -> Generator[None]:
    yield
    Agent.instrument_all(False)


async def test_without_it_nothing_is_traced(traced: Traced) -> None:
    await Agent(says("done")).run("go")
    assert traced.spans == []


async def test_all_agents_can_be_traced_but_those_that_say_otherwise(traced: Traced) -> None:
    agent, silent = Agent(says("done"), name="desk"), Agent(says("done"), instrument=False)
    Agent.instrument_all(traced.settings())
    await agent.run("go")
    await silent.run("go")
    assert list(traced.tree()) == ["invoke_agent desk"]
    assert agent.instrument is None
    Agent.instrument_all(None)
    await agent.run("go")
    assert len(traced.spans) == 2


async def test_what_an_agent_says_itself_wins(traced: Traced) -> None:
    other = Traced()
    Agent.instrument_all(other.settings())
    await traced.agent(says("done")).run("go")
    assert (len(traced.spans), len(other.spans)) == (2, 0)


async def test_true_means_the_providers_of_the_process() -> None:
    Agent.instrument_all()
    assert (await Agent(says("done")).run("go")).data == "done"


async def test_several_go_side_by_side(traced: Traced, caplog: pytest.LogCaptureFixture) -> None:
    agent = Agent(says("done"), instrument=[traced.settings(), LoggingObserver(), (False,)])
    with caplog.at_level(logging.INFO, "agentgraph"):
        await agent.run("go")
    assert len(traced.spans) == 2
    assert len(caplog.records) == 2


async def test_anything_else_is_refused() -> None:
    with pytest.raises(UserError, match="`instrument` cannot be a str: give True"):
        await Agent(says("done"), instrument="otlp").run("go")


def test_settings_show_what_they_are() -> None:
    settings = InstrumentationSettings(event_mode="logs", include_content=False)
    assert repr(settings) == "InstrumentationSettings(event_mode='logs', include_content=False)"


class BrokenTracer(NoOpTracer):
    def start_span(self, *_: object, **__: object) -> Span:
        raise OSError("no disk")


class BrokenTracers(NoOpTracerProvider):
    def get_tracer(self, *_: object, **__: object) -> Tracer:
        return BrokenTracer()


async def test_tracing_that_fails_is_logged_and_fails_no_run(caplog: pytest.LogCaptureFixture) -> None:
    settings = InstrumentationSettings(tracer_provider=BrokenTracers())
    assert (await Agent(says("done"), instrument=settings).run("go")).data == "done"
    assert [record.getMessage() for record in caplog.records] == ["a run goes on without the spans of RunStarted"]


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_opentelemetry_loads_with_the_first_settings() -> None:
    code = "import sys, agentgraph.observe; from agentgraph import Agent; Agent('test').run_sync('go')\n"
    assert python(f"{code}print('opentelemetry' in sys.modules)").strip() == "False"


def test_without_opentelemetry_its_absence_is_told() -> None:
    code = "import sys; sys.modules['opentelemetry'] = None; from agentgraph import Agent, UserError\n"
    code += "try: Agent('test', instrument=True).run_sync('go')\nexcept UserError as error: print(error)"
    assert python(code).strip() == "tracing needs opentelemetry-api: install 'agentgraph[otel]'"
