"""`agentgraph models`: the names of models."""

from __future__ import annotations

import sys
from typing import Annotated, get_args

import typer

from agentgraph.models import KnownModelName

from .errors import RefusedError

__all__ = ["models"]


def models(
    provider: Annotated[
        str | None, typer.Option("--provider", metavar="P", help="Only models of this provider.")
    ] = None,
) -> None:
    """List known names of models.

    Any other provider:name works as well.
    """
    names: list[str] = list(get_args(KnownModelName))
    providers = sorted({name.partition(":")[0] for name in names})
    if provider is not None and provider not in providers:
        raise RefusedError(f"no names of provider {provider!r} are known; there are {', '.join(providers)}")
    chosen = [name for name in names if provider is None or name.partition(":")[0] == provider]
    sys.stdout.write("\n".join(chosen) + "\n")
