"""Who is measured: the libraries of peers.toml and the environment that each has."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ENVIRONMENTS", "OURS", "Library", "install", "read_libraries"]

OURS = "agentgraph"
"""The library that the others are compared with."""

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent
ENVIRONMENTS = REPOSITORY / ".venv-peers"


@dataclass(frozen=True)
class Library:
    """One that is measured, or the work by hand.

    Attributes:
        name: As in peers.toml, and of its environment.
        shown: What the table calls it.
        adapter: The script that does the work with it; adapters/cell.py says what it speaks.
        python: What runs that script.
        requires: What pip installs for it.
    """

    name: str
    shown: str
    adapter: Path
    python: Path
    requires: tuple[str, ...] = ()


def read_libraries() -> list[Library]:
    """All of them, in the order of the table."""
    with (HERE / "peers.toml").open("rb") as file:
        written = tomllib.load(file)
    return [
        Library(
            name,
            each["shown"],
            HERE / "adapters" / each["adapter"],
            ENVIRONMENTS / name / "bin" / "python",
            tuple(each["requires"]),
        )
        for name, each in written.items()
    ]


def install(library: Library) -> None:
    """Make its environment, or bring it up to date; pip asks the index it is configured for.

    Raises:
        subprocess.CalledProcessError: The environment could not be made, or pip could not install something.
    """
    if not library.python.exists():
        subprocess.run([sys.executable, "-m", "venv", library.python.parent.parent], check=True)
    if library.requires:
        pip = [str(library.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *library.requires], check=True, cwd=REPOSITORY)
