"""What all adapters work on: the same texts, sizes and pieces. Standard library only."""

from __future__ import annotations

import asyncio
import json

__all__ = [
    "ANSWER",
    "PIECE",
    "PROMPT",
    "WAIT",
    "call",
    "items",
    "pieces",
    "square",
    "structured",
    "text_deltas",
    "tool_text",
]

PROMPT = "How is the weather in Lisbon? Use the tools that you need."
ANSWER = "It is mild in Lisbon, nineteen degrees, with a light wind from the north."

WAIT = 0.05
"""Seconds that the model of a run in a crowd takes to reply."""

PIECE = 100
"""Characters of each delta of a structured result."""

WORDS = 'the quick brown fox, "quoted" and escaped; '


async def square(number: int) -> int:
    """What each branch of a fork does: it gives way once."""
    await asyncio.sleep(0)
    return number * number


def tool_text(size: int) -> str:
    """So many characters that a tool returns."""
    return "".join(f"{number} {WORDS}" for number in range(size // len(WORDS) + 1))[:size]


def call(done: int) -> tuple[str, str, str]:
    """The tool's name, its arguments and the id of the call that the model makes after so many turns."""
    return "lookup", f'{{"n": {done}}}', f"call-{done}"


def text_deltas(count: int) -> list[str]:
    """Pieces of a text."""
    return [f"word{number % 97} " for number in range(count)]


def items(size: int) -> int:
    """How many items the structured result of so many characters has."""
    return size // 100


def structured(size: int) -> str:
    """A title and items of a hundred characters each."""
    rows = [
        {
            "id": number,
            "name": f"item {number} ".ljust(27, "."),
            "score": number % 1000 / 10,
            "tags": ["alpha", f"t{number:08d}"],
        }
        for number in range(items(size))
    ]
    return json.dumps({"title": "a structured result", "items": rows})


def pieces(size: int) -> list[str]:
    """The structured result as it is streamed."""
    text = structured(size)
    return [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
