"""What was used between two moments of a run."""

from __future__ import annotations

from agentgraph.usage import Usage

__all__ = ["count_up", "difference", "snapshot"]


def count_up(state: object, used: Usage) -> None:
    """Add what a run has used to the state of the run above it, where that has a `usage`."""
    usage = getattr(state, "usage", None)  # of a graph that somebody else wrote
    if isinstance(usage, Usage):
        usage.incr(used)


def snapshot(usage: Usage) -> Usage:
    """What it is now, apart from what becomes of it."""
    tokens = (usage.request_tokens, usage.response_tokens, usage.total_tokens)
    details = None if usage.details is None else dict(usage.details)
    return Usage(usage.requests, *tokens, details, priced=usage.priced, cost=usage.cost)


def difference(after: Usage, before: Usage) -> Usage:
    """What has come on top of `before`."""
    details = {name: count - (before.details or {}).get(name, 0) for name, count in (after.details or {}).items()}
    return Usage(
        after.requests - before.requests,
        _less(after.request_tokens, before.request_tokens),
        _less(after.response_tokens, before.response_tokens),
        _less(after.total_tokens, before.total_tokens),
        {name: count for name, count in details.items() if count} or None,
        priced=after.priced - before.priced,
        cost=after.cost - before.cost,
    )


def _less(after: int | None, before: int | None) -> int | None:
    return None if after is None else after - (before or 0)
