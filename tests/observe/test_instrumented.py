"""The model that makes spans by itself."""

from __future__ import annotations

import pytest
from opentelemetry.trace import INVALID_SPAN, get_current_span

from agentgraph import Agent
from agentgraph.messages import ModelResponse, PartStartEvent, TextPart
from agentgraph.models import instrumented
from agentgraph.models.test import TestModel
from agentgraph.models.wrapper import WrapperModel
from agentgraph.observe import InstrumentedModel
from agentgraph.usage import Usage
from tests.agent.scripted import EventModel, says
from tests.contexts import SilentModel
from tests.models.conversation import asked, streamed
from tests.observe.traced import Traced

pytestmark = pytest.mark.anyio


async def test_requests_make_spans(traced: Traced) -> None:
    model = InstrumentedModel(TestModel(custom_result_text="a b"), traced.settings())
    with traced.own("caller"):
        reply, _ = await asked(model)
        assert (await streamed(model)).response.parts == reply.parts == [TextPart("a b")]
    assert traced.tree() == {"caller": {"chat test": {}}}
    assert len(traced.spans) == 3
    assert get_current_span() is INVALID_SPAN


async def test_by_default_the_process_says_where_spans_go() -> None:
    assert (await asked(InstrumentedModel("test")))[0].parts == [TextPart("success (no tool calls)")]


async def test_what_is_done_while_a_stream_is_read_is_the_callers(traced: Traced) -> None:
    model = InstrumentedModel("test", traced.settings())
    agent = Agent(model)
    async with agent.run_stream("go"):
        with traced.own("reading"):
            pass
    assert traced.tree() == {"reading": {}, "chat test": {}}


async def test_errors_are_told(traced: Traced) -> None:
    part = TextPart("Hel")
    broken = EventModel([PartStartEvent(0, part), ConnectionError("gone")], ModelResponse([part]), [Usage(0, 1, 2, 3)])
    with pytest.raises(ConnectionError):
        await streamed(InstrumentedModel(broken, traced.settings()))
    with pytest.raises(RuntimeError, match="cannot stream"):
        await streamed(InstrumentedModel(SilentModel(), traced.settings()))
    with pytest.raises(IndexError):
        await asked(InstrumentedModel(says(), traced.settings()))
    assert set(traced.failed()) == {"chat events", "chat silent", "chat function:reply:"}
    assert traced.told("chat events")["gen_ai.usage.output_tokens"] == 2
    assert get_current_span() is INVALID_SPAN


@pytest.mark.parametrize("stream", [True, False])
async def test_an_instrumented_agent_leaves_the_spans_to_it(stream: bool, traced: Traced) -> None:  # noqa: FBT001
    model = InstrumentedModel(TestModel(custom_result_text="done"), traced.settings())
    agent = traced.agent(WrapperModel(model))
    with traced.own("caller"):
        if stream:
            async with agent.run_stream("go") as response:
                await response.get_data()
        else:
            await agent.run("go")
    assert traced.tree() == {"caller": {"invoke_agent desk": {"chat test": {}}}}
    assert len(traced.spans) == 3
    assert "gen_ai.usage.input_tokens" in traced.told("invoke_agent desk")


def test_it_is_found_among_the_models() -> None:
    assert instrumented.InstrumentedModel is InstrumentedModel
    with pytest.raises(AttributeError, match="no attribute 'Instrumented'"):
        getattr(instrumented, "Instrumented")  # noqa: B009 - as an attribute, both type checkers would refuse it
