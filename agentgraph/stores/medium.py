"""What a writer's thread writes, and what it is written to: `group_commit.py` has the thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

from agentgraph.concurrency import ThreadWaiter

from .blobs import Blobs
from .leases import Change

__all__ = ["Item", "Medium", "OutOfReachError"]

WriteT = TypeVar("WriteT")
T = TypeVar("T")


class OutOfReachError(Exception):
    """Nothing can be written at all, because of `reason`: to try the items one by one would not help."""

    def __init__(self, reason: Exception) -> None:
        self.reason = reason
        super().__init__(str(reason))


class Item(Generic[WriteT, T]):
    """A write on its way through the thread; a medium settles it by `succeed` or `refuse`."""

    __slots__ = (
        *("blobs", "change", "error", "gives_up", "lengthy", "relaxed", "run_id", "seq", "settled", "unsure"),
        *("value", "waiter", "write"),
    )

    def __init__(
        self,
        write: WriteT,
        run_id: str,
        seq: int | None = None,
        gives_up: int | None = None,
        blobs: Blobs | None = None,
    ) -> None:
        self.write = write
        self.blobs = blobs or {}
        """Big values that it refers to, written with it."""
        self.run_id = run_id
        self.seq = seq
        """The step that it writes; None where it writes none."""
        self.gives_up = gives_up
        """The epoch of the claim that ends even if the write fails."""
        self.value: T | None = None
        """The answer, as soon as the write was applied without being refused."""
        self.error: Exception | None = None
        """What it was refused with."""
        self.change: Change = None
        self.settled = False
        self.unsure = False
        """It may have been written although that failed, so look before it is written again."""
        self.relaxed = False
        """It needs no flush of its own: to lose it with the machine's power does no harm."""
        self.lengthy = bool(blobs)
        """It may take long, so nobody is to be held up by it but the thread."""
        self.waiter: ThreadWaiter[None] | None = None
        """Who is woken when it is settled, if anybody."""

    @property
    def refused(self) -> bool:
        """Whether it is settled, and nothing of it was written."""
        return self.error is not None

    def succeed(self, value: T, change: Change = None) -> None:
        """It is written, with this answer and this effect on the leases."""
        self.value, self.change, self.error, self.settled = value, change, None, True

    def refuse(self, error: Exception) -> None:
        """It has written nothing, because of `error`."""
        self.value, self.change, self.error, self.settled = None, None, error, True

    def reset(self) -> None:
        """Whatever happened was undone."""
        self.value, self.change, self.error, self.settled = None, None, None, False

    def answer(self) -> None:
        """Wake who waits for the write."""
        if self.waiter is not None:
            self.waiter.succeed(None)

    def outcome(self) -> T:
        """The answer to a write that is settled.

        Raises:
            Exception: what it was refused with.
        """
        if self.error is not None:
            raise self.error
        value: T = self._found()
        return value

    def _found(self) -> Any:  # any: a T, for None is there only where that is the answer
        return self.value


class Medium(Protocol[WriteT]):
    """What a group is written to. Only the writer's thread uses it."""

    @property
    def place(self) -> str:
        """What people know it by."""
        ...

    @property
    def waits(self) -> bool:
        """Whether every write waits for a disk or a server, so that none is ever made at once."""
        ...

    def write(self, items: Sequence[Item[WriteT, Any]], *, renew: bool) -> None:
        """Write all items, settle each; `renew` the leases before.

        Items that are not settled when this raises were not written, or are `unsure`.

        Raises:
            OutOfReachError: nothing can be written at present.
            Exception: one of the items, or the renewal, cannot be written.
        """
        ...

    def write_at_once(self, item: Item[WriteT, Any]) -> bool:
        """Write an item if that keeps nobody waiting, not even for the disk, and settle it; False: nothing is written.

        Never called while the writer's thread writes, but by any thread.
        """
        ...

    def explain(self, error: Exception, item: Item[WriteT, Any]) -> Exception:
        """What the caller of an item is told that failed with `error`."""
        ...

    def end(self) -> None:
        """Give up all leases and close what is open.

        Raises:
            Exception: that could not be done.
        """
        ...
