"""The process that runs the agent, and is killed: `python -m agentgraph.cli.demo.worker JOB`.

It says what happens on stdout, one event a line.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import anyio
from pydantic import TypeAdapter

from agentgraph.cli.walk import WalkEvent, walk, walk_events
from agentgraph.exceptions import AgentRunError, UserError
from agentgraph.model import Model
from agentgraph.models import infer_model
from agentgraph.stores import open_store

from .agent import support_desk
from .database import Shop

__all__ = ["Job", "jobs", "main", "work"]


@dataclass(frozen=True, kw_only=True)
class Job:
    """What to do, as it crosses to the other process."""

    store: str
    shop: str
    run_id: str
    model: str
    base_url: str | None = None
    """Where the model is served; None: where its name says."""
    prompt: str | None = None
    """What to begin with; None: the run is resumed."""


jobs: TypeAdapter[Job] = TypeAdapter(Job)
"""Writes and reads jobs as JSON."""


async def work(job: Job) -> None:
    """Begin the run, or go on with it, to its end.

    Raises:
        AgentRunError: the run failed.
    """
    store = open_store(job.store)
    resume = job.run_id if job.prompt is None else None
    asked = support_desk.iter(
        job.prompt,
        run_id=None if resume else job.run_id,
        resume=resume,
        deps=Shop(Path(job.shop)),
        model=_model(job),
        store=store,
    )
    async with asked as run:
        await walk(run, _say, streamed=True)
    await store.aclose()


def _model(job: Job) -> Model:
    if job.base_url is None:
        return infer_model(job.model)
    from agentgraph.models.openai import OpenAIModel
    from agentgraph.providers.openai import OpenAIProvider

    return OpenAIModel(job.model, provider=OpenAIProvider(base_url=job.base_url, api_key="none-is-needed"))


def _say(event: WalkEvent) -> None:
    sys.stdout.buffer.write(walk_events.dump_json(event) + b"\n")
    sys.stdout.buffer.flush()


def main(job: str) -> int:
    """Do a job, given as JSON; returns the exit code."""
    try:
        anyio.run(work, jobs.validate_json(job))
    except (AgentRunError, UserError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
