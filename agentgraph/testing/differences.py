"""Where a run that is replayed is not the recorded one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from pydantic_core import to_json

__all__ = ["Difference", "ReplayDiffers", "first_difference"]

_NO_MESSAGE: dict[str, list[object]] = {"parts": []}

_SHOWN = 600
"""Characters of a value in the message of the error; its attributes hold all of it."""


class ReplayDiffers(AssertionError):
    """The agent of today does not do what the recorded run did. `recorded` and `today` are JSON, hence Any."""

    def __init__(self, run_id: str, step: int, what: str, recorded: Any = None, today: Any = None) -> None:
        self.run_id = run_id
        """The recorded run."""
        self.step = step
        """The step of it at which they part."""
        self.recorded = recorded
        """What the recorded run said or did there, as JSON; None if that was nothing."""
        self.today = today
        """What the agent of today says or does."""
        shown = f"\n  recorded: {_shown(recorded)}\n  today:    {_shown(today)}"
        super().__init__(f"run {run_id!r}, step {step}: {what}{shown}")


@dataclass(frozen=True, slots=True)
class Difference:
    """The first one between two lists of messages."""

    where: str
    recorded: Any  # Any: JSON
    today: Any


def first_difference(recorded: Sequence[Any], today: Sequence[Any]) -> Difference | None:
    """Where two lists of messages, as `plain` writes them, differ first: the part, if it is one part alone."""
    for number, (one, other) in enumerate(zip_longest(recorded, today, fillvalue=_NO_MESSAGE)):
        if one != other:
            return _in_message(f"message {number}", one, other)
    return None


def _in_message(where: str, recorded: Any, today: Any) -> Difference:
    parts: Sequence[tuple[Any, Any]] = list(zip_longest(recorded["parts"], today["parts"]))
    differing = (
        Difference(f"{where}, part {number}", one, other) for number, (one, other) in enumerate(parts) if one != other
    )
    return next(differing, Difference(where, recorded, today))


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    text = to_json(value, fallback=repr).decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"
