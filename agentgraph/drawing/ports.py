"""Where links touch a shape: each as close as can be to where it comes from, apart from its neighbours."""

from __future__ import annotations

from collections.abc import Sequence

from .geometry import Rect

__all__ = ["ports"]

APART = 14.0
SHARE = 0.72
"""Of a side that links may touch: its corners are left free."""


def ports(body: Rect, wanted: Sequence[float]) -> list[float]:
    """Places on a side of a shape; `wanted` is where the links come from, in order and further apart than `APART`."""
    reach = body.width * SHARE / 2
    apart = min(APART, 2 * reach / max(1, len(wanted) - 1))
    low = body.middle.x - reach
    high = body.middle.x + reach - apart * (len(wanted) - 1)  # for those after it there is room left
    return [
        min(max(place - number * apart, low), max(low, high)) + number * apart for number, place in enumerate(wanted)
    ]
