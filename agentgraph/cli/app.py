"""The commands of `agentgraph`: each is one function in the module of its name."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

import agentgraph

from .chat import chat
from .delete import delete
from .demo.command import demo
from .diagram import diagram
from .draw import draw
from .errors import RefusedError
from .export import export
from .import_run import import_run
from .models import models
from .prune import prune
from .queues import queues
from .resume import resume
from .runs import runs
from .show import show
from .wake import wake
from .worker import worker
from .workers import workers

__all__ = ["app"]

app = typer.Typer(
    name="agentgraph",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # what is expected is told by `entry.py`, the rest is for whoever mends it
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

of_runs = (demo, chat, runs, show, resume, export, delete, prune, diagram, draw, models)
of_fleets = (worker, workers, wake)
for command in of_runs + of_fleets:
    app.command()(command)
app.command("import")(import_run)
app.add_typer(queues)


def _print_version(asked: bool) -> None:  # noqa: FBT001 - called by typer
    if asked:
        sys.stdout.write(f"agentgraph {agentgraph.__version__}\n")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
    log: Annotated[
        str, typer.Option(metavar="LEVEL", help="What is logged to stderr: debug, info, warning or error.")
    ] = "warning",
) -> None:
    """LLM agents as typed graphs, whose every step is stored."""
    del version  # it was printed
    levels = logging.getLevelNamesMapping()
    if log.upper() not in levels:
        raise RefusedError(f"there is no level {log!r}; there are debug, info, warning and error")
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("agentgraph").setLevel(levels[log.upper()])
