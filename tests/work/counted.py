"""Counts what Python does, without a clock: the calls of functions in this thread while some work is done."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from types import FrameType

__all__ = ["BUILTIN", "calls_of"]

BUILTIN = "builtin "
"""What stands before the name of a function that is not written in Python."""


async def calls_of(work: Callable[[], Awaitable[object]]) -> Counter[str]:
    """How often each function was called, by its qualified name; a generator counts again when it goes on."""
    counted: Counter[str] = Counter()

    def count(frame: FrameType, event: str, arg: object) -> None:
        if event == "call":
            counted[frame.f_code.co_qualname] += 1
        elif event == "c_call":
            counted[BUILTIN + getattr(arg, "__qualname__", "?")] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        await work()
    finally:
        sys.setprofile(before)
    return counted
