"""Writes the names of known models into the package: `make names`. They stand in `models.toml` beside this script."""

from __future__ import annotations

import tomllib
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
TARGET = FOLDER.parent / "agentgraph" / "models" / "known_names.py"
HEAD = '''"""The names that editors offer, as `make names` writes them: changes belong into known_models/models.toml."""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["KnownModelName"]

KnownModelName: TypeAlias = Literal[
'''
TAIL = ''']
"""Names that editors offer; any other `provider:name` works as well."""
'''


def names() -> list[str]:
    """Every name with its prefix, in order, and `test`."""
    table: dict[str, list[str]] = tomllib.loads((FOLDER / "models.toml").read_text(encoding="utf-8"))
    return sorted([f"{prefix}:{model}" for prefix, models in table.items() for model in models] + ["test"])


def source() -> str:
    """The module that holds them."""
    return HEAD + "".join(f'    "{name}",\n' for name in names()) + TAIL


if __name__ == "__main__":
    TARGET.write_text(source(), encoding="utf-8")
    print(f"wrote {TARGET.relative_to(FOLDER.parent)}")
