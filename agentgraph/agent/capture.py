"""Lets a caller see the messages of a run, also of one that raises."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from agentgraph.messages import ModelMessage

__all__ = ["Capture", "capture_run_messages", "claim_capture"]


@dataclass
class Capture:
    """The list that the first run in a block fills."""

    messages: list[ModelMessage] = field(default_factory=list[ModelMessage])
    claimed: bool = False

    def show(self, history: Sequence[ModelMessage]) -> None:
        """Let the caller see the history as it is now."""
        self.messages[:] = history


_capture: ContextVar[Capture | None] = ContextVar("_capture", default=None)


@contextmanager
def capture_run_messages() -> Generator[list[ModelMessage]]:
    """Hand out a list that holds the messages of the first run inside the block, even if it raises.

    Nested blocks share one list. Agents that run inside tools of the first run stay out of it.
    """
    capture = _capture.get()
    if capture is not None:
        yield capture.messages
        return
    capture = Capture()
    token = _capture.set(capture)
    try:
        yield capture.messages
    finally:
        _capture.reset(token)


def claim_capture() -> Capture | None:
    """The capture that waits for a run, if there is one; it then belongs to the caller."""
    capture = _capture.get()
    if capture is None or capture.claimed:
        return None
    capture.claimed = True
    return capture
