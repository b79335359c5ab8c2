"""Big values in this process's memory, which runs share: each is there while a run refers to it."""

from __future__ import annotations

from collections.abc import Sequence

from .blobs import Blobs

__all__ = ["MemoryBlobs"]


class MemoryBlobs:
    """Changes under the store's lock."""

    def __init__(self) -> None:
        self._data: dict[str, bytes] = {}
        self._runs: dict[str, set[str]] = {}
        """Who refers to a blob; never empty."""
        self._of_run: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._data)

    def keep(self, blobs: Blobs) -> None:
        """Take the blobs that are not there yet, and which run refers to them."""
        for (run_id, digest), data in blobs.items():
            self._data.setdefault(digest, data)
            self._runs.setdefault(digest, set()).add(run_id)
            self._of_run.setdefault(run_id, set()).add(digest)

    def read(self, digests: Sequence[str]) -> dict[str, bytes]:
        """Those that are there."""
        return {digest: self._data[digest] for digest in digests if digest in self._data}

    def drop(self, run_id: str) -> None:
        """A run is gone: drop the blobs that no other one refers to."""
        for digest in self._of_run.pop(run_id, ()):
            self._runs[digest].discard(run_id)
            if not self._runs[digest]:
                del self._runs[digest], self._data[digest]
