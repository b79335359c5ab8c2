"""How things look on a terminal, and in a pipe."""

from __future__ import annotations

import os

from rich.console import Console
from rich.text import Text

__all__ = ["age", "console", "one_line", "size", "text"]

BYTES_SHOWN = 10_000
"""So many are written out, more are rounded."""

PIPE_WIDTH = 160
"""Columns where nobody says how many there are: no id is to be cut in two."""

# Everything shown came from a model, a tool or a file: none of it may move the cursor.
_CONTROLS = {
    **{code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"},
    **dict.fromkeys(range(0x7F, 0xA0), 0xFFFD),
}

_UNITS = (("d", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0))


def console() -> Console:
    """Where a command writes: colours and widths are those of the terminal, if it is one."""
    found = Console(highlight=False)
    if found.is_terminal or "COLUMNS" in os.environ:
        return found
    return Console(highlight=False, width=PIPE_WIDTH)


def text(content: str, style: str = "") -> Text:
    """Text as it is: no markup, and control characters made visible."""
    return Text(content.translate(_CONTROLS), style=style)


def one_line(content: str, limit: int = 200) -> str:
    """The beginning of a text on one line."""
    flat = " ".join(content.split())
    return flat if len(flat) <= limit else f"{flat[: limit - 1]}…"


def age(seconds: float) -> str:
    """How long ago, in the largest unit that is reached."""
    for unit, length in _UNITS:
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return "now"


def size(count: int) -> str:
    """So many bytes."""
    return f"{count} bytes" if count < BYTES_SHOWN else f"{count / 1000:.0f} kB"
