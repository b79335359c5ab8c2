"""Finds the variable that holds an object, where the object was not given a name."""

from __future__ import annotations

from types import FrameType

__all__ = ["variable_name"]

_OWN = {__package__, "contextlib", "asyncio", "anyio", "trio"}
"""The packages whose frames may stand between a caller and this library."""


def variable_name(value: object, frame: FrameType | None) -> str | None:
    """The name by which the nearest caller outside of this library knows `value`; None if it has none there."""
    while frame is not None and str(frame.f_globals.get("__name__", "")).partition(".")[0] in _OWN:
        frame = frame.f_back
    if frame is None:
        return None
    found = next((name for name, held in frame.f_locals.items() if held is value), None)
    return found or next((name for name, held in frame.f_globals.items() if held is value), None)
