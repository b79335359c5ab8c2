"""The block in which a run is streamed, as something that another task can end."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import anyio

__all__ = ["Block"]


class Block:
    """Knows which task is inside, and can have it leave."""

    def __init__(self) -> None:
        self._scope = anyio.CancelScope()
        self._left = anyio.Event()
        self._task = anyio.get_current_task().id

    def __enter__(self) -> Self:
        self._scope.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self._left.set()
        return bool(self._scope.__exit__(kind, error, traceback))

    @property
    def inside(self) -> bool:
        """Whether the caller is the task whose block it is."""
        return anyio.get_current_task().id == self._task

    async def end(self) -> None:
        """Have the block left, as by a cancel scope of its own, and wait until that is done."""
        self._scope.cancel()
        await self._left.wait()
