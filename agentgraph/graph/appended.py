"""Lists of a run's state that are stored by items: a step writes what it added or replaced, not the list.

A state field opts in by its annotation, `Annotated[list[T], Appended]`. While a run is alive its value is an
`AppendedList`, which knows how many of its leading items are as they were at the last commit. Items do not change
once they are in: replace an item, never mutate it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Generic, NamedTuple, Self, SupportsIndex, TypeVar, cast

__all__ = ["Appended", "AppendedList", "Change", "adopt"]

T = TypeVar("T")


class Appended:
    """Marks a state field, `Annotated[list[T], Appended]`, that is stored by items."""


class Change(NamedTuple, Generic[T]):
    """What became of a list since it was last stored."""

    keep: int
    """So many leading items are still there."""
    replaced: Sequence[tuple[int, T]]
    """Of those, the ones that are others now."""
    added: Sequence[T]


class AppendedList(list[T]):
    """A list that records what a commit has to write. Appending and extending cost what they cost a list."""

    __slots__ = ("_kept", "_replaced", "_stored")

    def __init__(self, items: Iterable[T] = (), *, kept: int = 0, stored: int = 0) -> None:
        super().__init__(items)
        self._stored = stored  # the length at the last commit
        self._kept = kept  # so many of those were only ever replaced one by one since
        self._replaced: set[int] | None = None  # most lists are only added to

    @property
    def changed(self) -> bool:
        """Whether a commit has anything to write."""
        return not (len(self) == self._kept == self._stored and not self._replaced)

    @property
    def stored(self) -> int:
        """The length at the last commit."""
        return self._stored

    @property
    def intact(self) -> int:
        """So many leading items are those of the last commit."""
        return min(self._replaced or (), default=self._kept)

    def change(self) -> Change[T]:
        """What became of the list since the last commit."""
        replaced = [(index, self[index]) for index in sorted(self._replaced)] if self._replaced else []
        return Change(self._kept, replaced, self[self._kept :])

    def twin(self) -> AppendedList[T]:
        """The same items, and the same of them stored."""
        made = AppendedList(self, kept=self._kept, stored=self._stored)
        made._replaced = {*self._replaced} if self._replaced else None
        return made

    def mark_stored(self) -> None:
        """The list was committed as it is now."""
        self._kept = self._stored = len(self)
        self._replaced = None

    def _cut(self, index: int) -> None:
        self._kept = min(self._kept, index)
        self._replaced = {replaced for replaced in self._replaced or () if replaced < self._kept}

    def __setitem__(self, index: SupportsIndex | slice, value: Any, /) -> None:  # list says what goes with what
        positions = self._positions(index)
        if isinstance(index, slice):
            self._cut(positions.start)
        elif positions.start < self._kept:
            self._replaced = self._replaced or set()
            self._replaced.add(positions.start)
        super().__setitem__(cast("SupportsIndex", index), value)  # the overloads of list take one or the other

    def __delitem__(self, index: SupportsIndex | slice, /) -> None:
        self._cut(self._positions(index).start)
        super().__delitem__(index)

    def insert(self, index: SupportsIndex, value: T, /) -> None:
        self._cut(slice(index, None).indices(len(self))[0])
        super().insert(index, value)

    def pop(self, index: SupportsIndex = -1, /) -> T:
        value = super().pop(index)
        self._cut(int(index) if int(index) >= 0 else int(index) + len(self) + 1)
        return value

    def remove(self, value: T, /) -> None:
        del self[self.index(value)]

    def clear(self) -> None:
        self._cut(0)
        super().clear()

    def reverse(self) -> None:
        self._cut(0)
        super().reverse()

    def sort(self, **options: Any) -> None:  # key and reverse, as list takes them
        self._cut(0)
        super().sort(**options)

    def __imul__(self, times: SupportsIndex, /) -> Self:
        if int(times) < 1:
            self._cut(0)
        return super().__imul__(times)

    def _positions(self, index: SupportsIndex | slice) -> range:
        # What an index or slice covers, the smallest first; an index that is out of range covers nothing.
        if not isinstance(index, slice):
            start = int(index) if int(index) >= 0 else int(index) + len(self)
            return range(max(start, 0), len(self))[:1]
        covered = range(len(self))[index]
        return covered if covered.step > 0 else covered[::-1]


def adopt(value: list[T], previous: AppendedList[T] | None) -> AppendedList[T]:
    """`value` as a list that records, given what the field held at the last commit.

    A list that was newly assigned keeps the leading items it shares, by identity, with the previous one.
    """
    if previous is None:
        return AppendedList(value)
    if value is previous:
        return previous
    shared = 0
    for mine, theirs in zip(value, previous[: previous.intact], strict=False):
        if mine is not theirs:
            break
        shared += 1
    return AppendedList(value, kept=shared, stored=previous.stored)
