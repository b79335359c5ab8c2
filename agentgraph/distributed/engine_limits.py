"""Limits as the engine keeps them.

It bounds what one worker runs by what the whole queue may, and counts a beginning when it gives a run out, which is a
moment before the run begins: so its windows are a little longer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .limits import Limits, Rate

if TYPE_CHECKING:
    from dbos._queue import QueueRateLimit  # which `register_queue` takes, and the package does not name

__all__ = ["engine_rate", "limits_of", "worker_bound"]

_SHARE, _MOST = 0.05, 0.1
"""What a window is longer by: a share of it, but no more than so many seconds, within which a run begins as a rule."""


def worker_bound(limits: Limits) -> int | None:
    """How many runs one worker may have."""
    return min((each for each in (limits.per_worker, limits.concurrency) if each is not None), default=None)


def engine_rate(rate: Rate | None) -> QueueRateLimit | None:
    """What the engine is told of a rate."""
    return None if rate is None else {"limit": rate.limit, "period": rate.per + min(_SHARE * rate.per, _MOST)}


def limits_of(row: Mapping[str, Any]) -> Limits:  # Any: of the types of its columns
    """The limits that a row of the engine's queues was written for."""
    per_worker = row["worker_concurrency"]
    if per_worker is not None and per_worker == row["concurrency"]:  # so the engine has a larger one written
        per_worker = max(per_worker, Limits().per_worker or 0)
    return Limits(
        concurrency=row["concurrency"],
        per_worker=per_worker,
        per_tenant=row["partition_concurrency"],
        rate=_rate(row["rate_limit_max"], row["rate_limit_period_sec"]),
        rate_per_tenant=_rate(row["partition_rate_limit_max"], row["partition_rate_limit_period_sec"]),
        poll=row["polling_interval_sec"],
    )


def _rate(limit: int | None, period: float | None) -> Rate | None:
    if limit is None or period is None:
        return None
    per = max(period / (1 + _SHARE), period - _MOST)
    return Rate(limit, float(f"{per:.12g}"))
