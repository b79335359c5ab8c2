"""Lets a reader take fewer steps than a stream has."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Pace"]


class Pace:
    """Picks the items of which the last picked one came `seconds` ago or more; None: every item.

    What is passed over shows in what is read later, so whoever reads totals loses nothing but steps. The very last item
    is `held` if it was passed over: it is due when the stream has ended.
    """

    def __init__(self, seconds: float | None, monotonic: Callable[[], float]) -> None:
        self._seconds, self._monotonic = seconds, monotonic
        self._last: float | None = None
        self.held = False
        """Whether the newest item was passed over."""

    def due(self) -> bool:
        """Whether the item that has come now is picked."""
        if self._seconds is None:
            return True
        now = self._monotonic()
        self.held = self._last is not None and now - self._last < self._seconds
        if not self.held:
            self._last = now
        return not self.held
