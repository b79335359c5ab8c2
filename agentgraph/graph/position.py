"""Where somebody who follows a run stands in what the run tells: the offset, one opaque string."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from agentgraph.exceptions import UserError

from .lifecycle import Status
from .store import OPENING

__all__ = ["Position"]

_N = r"\.(\d{1,18})"
_FORM = re.compile(rf"1\.(-?\d{{1,18}}){_N}\.([01]){_N}{_N}{_N}\.([a-z]*)\.([\w-]*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Position:
    """What was told of a run so far: all of the steps before `seq`, and of that one what follows."""

    seq: int = OPENING
    attempt: int = 0
    """Which attempt of it; 0: none has begun."""
    started: bool = False
    n: int = 0
    """The next event of the attempt that its step tells itself."""
    text: int = 0
    """So many characters of the text of the step."""
    closing: int = 0
    """So much of what its commit tells."""
    ended: Status | None = None
    """The run has come to rest in this status, and that was told."""
    calls: tuple[str, ...] = ()
    """The keys of the calls whose ends were told."""

    def __str__(self) -> str:
        counts = (self.seq, self.attempt, int(self.started), self.n, self.text, self.closing)
        return ".".join(["1", *map(str, counts), self.ended or "", "-".join(self.calls)])

    @classmethod
    def read(cls, offset: str | None) -> Self:
        """The position that an offset stands for; None: the beginning.

        Raises:
            UserError: it is none that an event carried.
        """
        if offset is None:
            return cls()
        found = _FORM.fullmatch(offset)
        if found is None or found[7] not in ("", *Status):
            raise UserError(f"after={offset!r} is no offset; give the `offset` of an event of this run, or None")
        return cls(
            seq=int(found[1]),
            attempt=int(found[2]),
            started=found[3] == "1",
            n=int(found[4]),
            text=int(found[5]),
            closing=int(found[6]),
            ended=Status(found[7]) if found[7] else None,
            calls=tuple(found[8].split("-")) if found[8] else (),
        )
