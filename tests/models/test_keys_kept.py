"""A key is planted, runs go well and fail, and all that is kept or told of them is searched."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agentgraph import Agent
from agentgraph.exceptions import AgentRunError
from agentgraph.messages import ModelMessagesTypeAdapter
from agentgraph.observe import InstrumentationSettings, LoggingObserver
from agentgraph.settings import ModelSettings
from agentgraph.stores import open_store
from tests.models.conftest import AT_ONCE
from tests.models.local_server import LocalServer, json_reply
from tests.models.loops import QUESTION, weather
from tests.models.protocols import KEY, PROTOCOLS, Protocol, Said

pytestmark = pytest.mark.anyio

OTHER = "other-secret-42"
SETTINGS = ModelSettings(extra_headers={"x-gateway-key": OTHER}, extra_body={"gateway": OTHER})
CALL = Said(calls=(("abcDEF123", "Oslo"),))
ECHO = Said(texts=("Wait. ", f"{KEY} {OTHER} are yours"))
TEXT = "Wait. [redacted] [redacted] are yours"


async def run(agent: Agent[None, str], run_id: str) -> list[str]:
    result = await agent.run(QUESTION, run_id=run_id, model_settings=SETTINGS)
    assert result.data == TEXT
    return [repr(result), ModelMessagesTypeAdapter.dump_json(result.all_messages()).decode()]


async def stream(agent: Agent[None, str], run_id: str) -> list[str]:
    async with agent.run_stream(QUESTION, run_id=run_id, model_settings=SETTINGS) as response:
        pieces = [piece async for piece in response.stream_text(debounce_by=None)]
        return [*pieces, repr(response), response.all_messages_json().decode()]


def files_in(folder: Path) -> str:
    return "".join(path.read_bytes().decode("latin-1") for path in folder.iterdir())


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=[protocol.name for protocol in PROTOCOLS])
async def test_nothing_kept_or_told_of_a_run_shows_a_key(
    server: LocalServer, protocol: Protocol, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    spans, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    refusal = json_reply({"error": {"message": f"{KEY} {OTHER} are wrong"}}, 401)
    server.script(
        *(protocol.plain(CALL), protocol.plain(ECHO)),
        *(protocol.streamed(CALL), protocol.streamed(ECHO), refusal),
    )
    seen: list[str] = []
    store = open_store(str(tmp_path / "runs.db"))
    observers = [InstrumentationSettings(tracer_provider=provider), LoggingObserver()]
    agent = Agent(protocol.client(server.url, AT_ONCE), tools=[weather], store=store, instrument=observers)
    seen += await run(agent, "plain")
    seen += await stream(agent, "streamed")
    for way in (run, stream):
        with pytest.raises(AgentRunError, match="401"):
            await way(agent, f"refused {way.__name__}")
    seen += [repr(agent), repr(agent.model)]
    seen += [repr(await store.load(run_id)) for run_id in ("plain", "streamed", "refused run", "refused stream")]
    stored = files_in(tmp_path)
    assert "[redacted]" in stored
    seen += [stored, *(span.to_json() or "" for span in spans.get_finished_spans())]
    assert all(KEY in json.dumps(dict(received.headers)) or protocol.name == "bedrock" for received in server.requests)
    for text in [*seen, caplog.text]:
        assert KEY not in text
        assert OTHER not in text
