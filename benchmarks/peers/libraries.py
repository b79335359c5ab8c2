"""Who is measured: the libraries of peers.toml and the environment that each has."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["ENVIRONMENTS", "FLOOR", "OURS", "REPOSITORY", "Library", "install", "read_libraries"]

OURS = "agentgraph"
"""The library that the others are compared with."""

FLOOR = "floor"
"""The work by hand."""

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent
ENVIRONMENTS = REPOSITORY / ".venv-peers"


@dataclass(frozen=True)
class Library:
    """One that is measured, or the work by hand.

    Attributes:
        name: As in peers.toml, and of its environment.
        shown: What the table calls it.
        adapter: The package of scripts that do the work with it; adapters/cell.py says what it speaks.
        python: What runs these.
        imports: How a program gets its agent class, or what it has instead.
        minimal: What pip installs for that.
        requires: What pip installs besides, for the adapter.
        none: Why a module is not in the adapter.
    """

    name: str
    shown: str
    adapter: str
    python: Path
    imports: str = ""
    minimal: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    none: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)

    @property
    def sizes(self) -> Path:
        """Where is written what its minimal installation brings."""
        return self.python.parent.parent / "size.json"


def read_libraries() -> list[Library]:
    """All of them, in the order of the table."""
    with (HERE / "peers.toml").open("rb") as file:
        written = tomllib.load(file)
    return [
        Library(
            name,
            each["shown"],
            each["adapter"],
            ENVIRONMENTS / each.get("environment", name) / "bin" / "python",
            each.get("imports", ""),
            tuple(each.get("minimal", ())),
            tuple(each.get("requires", ())),
            each.get("none", {}),
        )
        for name, each in written.items()
    ]


def install(library: Library) -> None:
    """Make its environment, or bring it up to date; pip asks the index it is configured for.

    Raises:
        subprocess.CalledProcessError: The environment could not be made, or pip could not install something.
    """
    if not library.requires:  # it uses another's
        return
    if not library.python.exists():
        subprocess.run([sys.executable, "-m", "venv", library.python.parent.parent], check=True)
    minimal = () if library.name == OURS else library.minimal  # of which `requires` has an editable form
    pip = [str(library.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *minimal, *library.requires], check=True, cwd=REPOSITORY)
