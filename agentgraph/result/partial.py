"""Values of a type while their JSON comes: valid as far as they are there, at a cost that does not grow with them.

To read all of the text anew for each piece is quadratic. So the text is scanned once, a part that has ended is
validated once, and only what is still open is read again, where the type is one that can be put together
(`partial_types`). What is read is, at every moment, what pydantic reads in the whole text; where that cannot be held,
for the type or for a text that is no JSON, the whole text is what is read.

A part is taken for ended when a further one has begun: until then it is the last one, which partial mode may leave out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic

from pydantic import ValidationError
from typing_extensions import TypeVar

from agentgraph.exceptions import ModelRetry

from .partial_frames import Frame, Scan
from .partial_slots import IrregularError
from .partial_types import Plans

__all__ = ["PartialReader", "Source"]

T = TypeVar("T")

GRAIN = 512
"""Characters up to which an open part is rather read as a whole."""


@dataclass(frozen=True)
class Source:
    """How the values of one type are read."""

    plans: Plans
    whole: Callable[[str], Any]  # Any: a value of the type, or of what was made at run time around it
    """Reads what there is of one in all of the text."""
    opening: Callable[[str], str | None]
    """The text from where the value begins; None if that cannot be told yet."""
    path: Sequence[str] = ()
    """The keys that lead to the value."""


class PartialReader(Generic[T]):
    """Reads one value while its JSON comes."""

    def __init__(self, source: Source, grain: int = GRAIN) -> None:
        self._source, self._grain = source, grain
        self._pieces: list[str] = []
        self._scan: Scan | None = None
        self._size = 0
        self._by_parts = True

    def feed(self, text: str) -> None:
        """Take in the next piece."""
        self._pieces.append(text)
        self._size += len(text)
        try:
            if self._scan is not None:
                self._scan.feed(text)
            elif self._by_parts and self._size > self._grain:
                self._begin()
        except IrregularError:
            self._give_up()

    def read(self) -> T:
        """The value as far as it is there. What had ended before an earlier reading is the same object as there.

        Raises:
            ValidationError: nothing of it can be read yet (pydantic's).
            ModelRetry: a validator of the type refused it.
        """
        value = self._read()
        for key in self._source.path:
            value = value[key]
        found: T = value
        return found

    def _read(self) -> Any:  # Any: as `Source.whole`
        if self._scan is not None:
            try:
                return self._scan.value()
            except (ValidationError, ModelRetry):
                raise
            except Exception:  # noqa: BLE001 - what it is, is seen where all is read
                self._give_up()
        return self._source.whole(self._text())

    def _text(self) -> str:
        if len(self._pieces) > 1:
            self._pieces[:] = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""

    def _begin(self) -> None:
        text = self._source.opening(self._text())
        if not text:
            return
        plan = self._source.plans.find(self._source.plans.root, text) if text[0] in "{[" else None
        if plan is None:
            self._give_up()
            return
        self._scan = Scan(Frame(plan), self._source.plans, self._grain)
        self._scan.feed(text[1:])

    def _give_up(self) -> None:
        self._scan, self._by_parts = None, False
