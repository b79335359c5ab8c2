"""What the rule-based model says where there is nothing to do but talk. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

__all__ = ["talk"]

SUM = re.compile(r"(-?\d+)\s*([-+*/])\s*(-?\d+)")
OPERATORS: Mapping[str, Callable[[int, int], float]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
}
BEFORE = re.compile(r"\bwhat did i (?:say|ask)|\bfirst (?:thing|question)\b|\bremember\b", re.IGNORECASE)
GREETING = re.compile(r"\s*(?:hello|hi|hey|good (?:morning|day|evening))\b", re.IGNORECASE)


def talk(said: Sequence[str]) -> str:
    """An answer, in Markdown, to the newest of the user's messages."""
    newest = said[-1] if said else ""
    asked = SUM.search(newest)
    if asked:
        return _sum(int(asked[1]), asked[2], int(asked[3]))
    if BEFORE.search(newest) and len(said) > 1:
        return "So far you said:\n\n" + "\n".join(f"{count}. {message}" for count, message in enumerate(said[:-1], 1))
    if GREETING.match(newest):
        return "Hello! I am a **small model made of rules**. I can add numbers and resolve *support tickets*."
    return f"You said *{newest.strip()}*, in {len(newest.split())} words. That is message {len(said)} of ours."


def _sum(left: int, sign: str, right: int) -> str:
    if sign == "/" and right == 0:
        return "Nothing can be divided by **0**."
    return f"{left} {sign} {right} is **{OPERATORS[sign](left, right):g}**."
