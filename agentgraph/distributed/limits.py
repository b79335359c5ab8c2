"""What a queue lets happen."""

from __future__ import annotations

import math
from dataclasses import dataclass

from agentgraph.exceptions import UserError

__all__ = ["Limits", "Rate"]


@dataclass(frozen=True)
class Rate:
    """At most `limit` beginnings within any `per` seconds.

    Raises:
        UserError: the numbers make no sense.
    """

    limit: int
    per: float = 1.0

    def __post_init__(self) -> None:
        if self.limit < 1 or not 0 < self.per < math.inf:
            raise UserError(f"{self} makes no sense: `limit` is at least 1, `per` a number of seconds above 0")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a queue lets happen at once. They are data, kept with the queue, and hold from the moment they are set.

    Raises:
        UserError: a number makes no sense, or one is larger than what bounds it.
    """

    concurrency: int | None = None
    """Runs of the queue that may be executed at once, wherever."""
    per_worker: int | None = 100
    """Runs of the queue that one worker executes at once. A database keeps no more than `concurrency`."""
    per_tenant: int | None = None
    """Runs of a tenant, of those of the queue, executed at once, wherever. Those of no tenant are as of one."""
    rate: Rate | None = None
    """How often runs of the queue may begin or go on."""
    rate_per_tenant: Rate | None = None
    """How often those of one tenant may."""
    poll: float = 0.1
    """Seconds between two looks of a worker into the queue."""

    def __post_init__(self) -> None:
        bounds = {name: getattr(self, name) for name in ("concurrency", "per_worker", "per_tenant")}
        wrong = [f"{name}={value}" for name, value in bounds.items() if value is not None and value < 1]
        if self.poll <= 0:
            wrong.append(f"poll={self.poll}")
        if wrong:
            raise UserError(f"limits of {', '.join(wrong)} let nothing run; give numbers above 0, or None for no limit")
        if self.concurrency is not None and self.per_tenant is not None and self.per_tenant > self.concurrency:
            raise UserError(
                f"per_tenant={self.per_tenant} is more than the whole queue may have, concurrency={self.concurrency}"
            )
