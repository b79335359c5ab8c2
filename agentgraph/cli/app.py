"""The commands of `agentgraph`: each is one function in the module of its name."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import agentgraph

from .chat import chat
from .delete import delete
from .demo.command import demo
from .diagram import diagram
from .draw import draw
from .export import export
from .import_run import import_run
from .models import models
from .prune import prune
from .resume import resume
from .runs import runs
from .show import show

__all__ = ["app"]

app = typer.Typer(
    name="agentgraph",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # what is expected is told by `entry.py`, the rest is for whoever mends it
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (demo, chat, runs, show, resume, export, delete, prune, diagram, draw, models):
    app.command()(command)
app.command("import")(import_run)


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
) -> None:
    """LLM agents as typed graphs, whose every step is stored."""
