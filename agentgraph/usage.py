"""What a run used, and how much it may use."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from decimal import Decimal
from operator import not_
from typing import Annotated

from pydantic import Field

from agentgraph.exceptions import UsageLimitExceeded

__all__ = ["Usage", "UsageLimits"]


@dataclass(slots=True)
class Usage:
    """Requests made and tokens used; None where no service told. It is added to in place by the runs that share it."""

    requests: int = 0
    request_tokens: int | None = None
    response_tokens: int | None = None
    total_tokens: int | None = None
    details: dict[str, int] | None = None
    """Whatever else the service counts, by its own names."""
    _: KW_ONLY
    priced: Annotated[int, Field(exclude_if=not_)] = 0
    """Of how many of the requests the price is known, and in `cost`."""
    cost: Annotated[Decimal, Field(exclude_if=not_)] = Decimal(0)
    """What those have cost, in US dollars; see `total_cost`."""

    def total_cost(self) -> Decimal | None:
        """What all of the requests have cost, in US dollars; None if the price of any of them is not known."""
        return self.cost if self.priced == self.requests else None

    def incr(self, other: Usage, requests: int = 0) -> None:
        """Add `other` and so many `requests` to this usage, in place."""
        self.requests += other.requests + requests
        if other.request_tokens is not None:
            self.request_tokens = (self.request_tokens or 0) + other.request_tokens
        if other.response_tokens is not None:
            self.response_tokens = (self.response_tokens or 0) + other.response_tokens
        if other.total_tokens is not None:
            self.total_tokens = (self.total_tokens or 0) + other.total_tokens
        self.priced += other.priced
        self.cost += other.cost
        if other.details:
            merged = dict(self.details or {})
            for key, count in other.details.items():
                merged[key] = merged.get(key, 0) + count
            self.details = merged

    def __add__(self, other: Usage) -> Usage:
        details = None if self.details is None else dict(self.details)
        tokens = (self.request_tokens, self.response_tokens, self.total_tokens)
        total = Usage(self.requests, *tokens, details, priced=self.priced, cost=self.cost)
        total.incr(other)
        return total

    def opentelemetry_attributes(self) -> dict[str, int]:
        """The token counts under the names of OpenTelemetry's GenAI conventions; unknown ones are left out."""
        counts = {
            "gen_ai.usage.input_tokens": self.request_tokens,
            "gen_ai.usage.output_tokens": self.response_tokens,
            **{f"gen_ai.usage.details.{key}": count for key, count in (self.details or {}).items()},
        }
        return {name: count for name, count in counts.items() if count is not None}


@dataclass(slots=True)
class UsageLimits:
    """Bounds of a run; None means no bound."""

    request_limit: int | None = 50
    """How many requests may be made."""
    request_tokens_limit: int | None = None
    response_tokens_limit: int | None = None
    total_tokens_limit: int | None = None
    cost_limit: Decimal | None = None
    """How many US dollars may be spent; only for models whose price is known."""

    def has_token_limits(self) -> bool:
        """Whether any of the token limits is set; if not, `check_tokens` has nothing to do."""
        return not (
            self.request_tokens_limit is None and self.response_tokens_limit is None and self.total_tokens_limit is None
        )

    def check_before_request(self, usage: Usage) -> None:
        """Refuse the next request if the limit does not allow one more.

        Raises:
            UsageLimitExceeded: `request_limit` requests were made, or `cost_limit` is spent.
        """
        if self.cost_limit is not None and usage.cost >= self.cost_limit:
            raise UsageLimitExceeded(f"cost_limit={self.cost_limit} US dollars is reached: {usage.cost} are spent")
        if self.request_limit is not None and usage.requests >= self.request_limit:
            msg = f"the next request would exceed request_limit={self.request_limit}: {usage.requests} were made"
            raise UsageLimitExceeded(msg)

    def check_tokens(self, usage: Usage) -> None:
        """Check the tokens used so far.

        Raises:
            UsageLimitExceeded: there are more than one of the limits allows.
        """
        if not self.has_token_limits():
            return
        for name, limit, used in (
            ("request_tokens", self.request_tokens_limit, usage.request_tokens),
            ("response_tokens", self.response_tokens_limit, usage.response_tokens),
            ("total_tokens", self.total_tokens_limit, usage.total_tokens),
        ):
            if limit is not None and used is not None and used > limit:
                msg = f"{name}_limit={limit} is exceeded: {name}={used}"
                raise UsageLimitExceeded(msg)

    def check_cost(self, usage: Usage) -> None:
        """Check what the requests so far have cost.

        Raises:
            UsageLimitExceeded: it is more than `cost_limit`.
        """
        if self.cost_limit is not None and usage.cost > self.cost_limit:
            raise UsageLimitExceeded(f"cost_limit={self.cost_limit} US dollars is exceeded: {usage.cost} are spent")
