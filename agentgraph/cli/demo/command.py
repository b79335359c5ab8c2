"""`agentgraph demo`: sets the stage, lets the plot run, shows what came of it, and leaves nothing behind."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated

import anyio
import typer
from pydantic_core import from_json
from rich.console import Console

from agentgraph.cli.errors import FailedError, RefusedError
from agentgraph.cli.printing import console, size, text
from agentgraph.cli.runs import tokens
from agentgraph.cli.screen import screen_for
from agentgraph.clock import new_run_id
from agentgraph.exceptions import StoreError
from agentgraph.graph import Store
from agentgraph.models import infer_model
from agentgraph.stores import open_store

from .database import Shop
from .play import Stage, begin_and_kill, go_on
from .server import MODEL, model_server
from .timeline import timeline, verdicts
from .verdict import Evidence, check, claims

__all__ = ["demo"]

TICKET = (
    "Ticket 7, from ada@example.com: The espresso machine that you sent me in February has a cracked tank. "
    "Please give me my money back."
)
LONGEST = 300.0
"""Seconds for the whole, with a real and slow model."""


@dataclass(frozen=True)
class _Options:
    model: str | None
    store: str | None
    keep: bool


def demo(
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Ask this model, such as openai:gpt-4o, with your key.")
    ] = None,
    store: Annotated[
        str | None, typer.Option(metavar="PATH", help="Keep the run in this file instead of a temporary one.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the temporary folder with the databases.")] = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Watch a run survive the kill of its process.

    A support desk with a database of its own works on a ticket. Its process is killed with SIGKILL in
    the middle of a batch of tools, and another one goes on. By default it talks to a small model made of rules,
    served on 127.0.0.1 by this command.
    """
    if model is not None:
        infer_model(model)  # a name that is none, or a missing key, is told before anything begins
    options = _Options(model, store, keep)
    out = console()
    with _folder(options, out) as folder, nullcontext(None) if model else model_server() as url:
        anyio.run(_demo, options, folder, url, out)


async def _demo(options: _Options, folder: Path, url: str | None, out: Console) -> None:
    path = options.store or str(folder / "runs.db")
    store = _open(path)
    shop = Shop(folder / "shop.db")
    shop.create()
    stage = Stage(
        run_id=f"demo-{new_run_id()[:8]}",
        store=store,
        store_path=path,
        shop=shop,
        model=options.model or MODEL,
        base_url=url,
    )
    try:
        with anyio.fail_after(LONGEST):
            await _play(stage, out)
    except TimeoutError as error:
        raise FailedError(f"the demonstration took longer than {LONGEST:g} s") from error
    finally:
        await store.aclose()
    if options.store or options.keep:
        out.print(text(f"look at it:  agentgraph show {stage.run_id} --store {path}"), soft_wrap=True)


async def _play(stage: Stage, out: Console) -> None:
    where = f", made of rules, at {stage.base_url}" if stage.base_url else ""
    out.print(text(f"model {stage.model}{where}", "dim"))
    out.print(text(TICKET, "bold"))
    first = await begin_and_kill(stage, TICKET, screen_for(out))
    if first.killed_at is None:
        raise FailedError(f"process {first.pid} ended (exit code {first.exit_code}) without a refund: nothing to show")
    out.print(text(f"process {first.pid} is killed with SIGKILL in step {first.killed_at.step}", "bold red"))
    second = await go_on(stage, screen_for(out))
    out.print(text(f"process {second.pid} took the run up, and has ended with exit code {second.exit_code}", "bold"))
    _opening, *steps = await stage.store.steps(stage.run_id)
    evidence = Evidence(
        first=first,
        second=second,
        moment=first.killed_at,
        run=await stage.store.load(stage.run_id),
        steps=steps,
        calls=stage.shop.calls,
        refunds=stage.shop.refunds,
        batch_expected=stage.base_url is not None,
    )
    _judge(stage, evidence, out)


def _judge(stage: Stage, evidence: Evidence, out: Console) -> None:
    judged = list(claims(evidence))
    out.print(timeline(stage, evidence.steps, evidence.calls))
    out.print(verdicts(judged))
    out.print(text(_cost(evidence)))
    check(judged)


def _cost(evidence: Evidence) -> str:
    stored = sum(len(step.body) + len(step.state) + len(step.usage) for step in evidence.steps)
    requests = from_json(evidence.run.usage).get("requests", 0)
    used = f"{tokens(evidence.run)} tokens in {requests} requests"
    return f"{used}; {size(stored)} stored in {len(evidence.steps)} steps"


def _open(path: str) -> Store:
    try:
        return open_store(path)
    except StoreError as error:
        raise RefusedError(error.message) from error


@contextmanager
def _folder(options: _Options, out: Console) -> Generator[Path]:
    folder = Path(mkdtemp(prefix="agentgraph-demo-"))
    try:
        yield folder
    finally:
        if options.keep:
            out.print(text(f"kept:  {folder}"), soft_wrap=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)
