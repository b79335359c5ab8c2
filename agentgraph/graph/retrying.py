"""How often a node may try, and how long it waits in between."""

from __future__ import annotations

import math
from dataclasses import dataclass

from agentgraph.exceptions import GraphRuntimeError, RunError, StoreError, UserError

__all__ = ["RetryPolicy"]

_NEVER = (RunError, StoreError, GraphRuntimeError, UserError)
"""Errors that say something about the run, or the program: to try again would change nothing."""


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """Has a node try again that raised an error: `retry = RetryPolicy(attempts=5, on=ConnectionError)` in its class.

    The delays grow by `factor`, from `delay` to `longest`. With jitter each is drawn from between nothing and that,
    so that many runs which fail together do not come back together.

    Errors about the run itself, `StoreError` and `RunError`, are never tried again, nor is a mistake of the program,
    `UserError` and `GraphRuntimeError`.

    Raises:
        UserError: the numbers make no sense.
    """

    attempts: int = 3
    """How often the node may try, the first time included. A run that is resumed begins to count anew."""
    on: type[Exception] | tuple[type[Exception], ...] = Exception
    """Which errors are worth it."""
    delay: float = 1.0
    """Seconds before the second attempt."""
    factor: float = 2.0
    """How many times longer each delay is than the one before."""
    longest: float = 60.0
    """Seconds that a delay takes at most."""
    jitter: bool = True
    """Whether delays are drawn by chance."""

    def __post_init__(self) -> None:
        sensible = self.attempts >= 1 and self.delay >= 0 and self.factor >= 1 and self.longest >= 0
        if not sensible or not math.isfinite(self.delay + self.factor + self.longest):
            message = f"{self} makes no sense: `attempts` and `factor` are 1 or more, `delay` and `longest` 0 s or more"
            raise UserError(message)

    def covers(self, error: Exception) -> bool:
        """Whether an attempt that ended with this error may be followed by another one."""
        return isinstance(error, self.on) and not isinstance(error, _NEVER)

    def wait(self, attempts: int) -> float:
        """Seconds to wait after so many attempts have failed: exponential, with full jitter."""
        from tenacity import RetryCallState, Retrying, wait_exponential, wait_random_exponential

        strategy = wait_random_exponential if self.jitter else wait_exponential
        failed = RetryCallState(Retrying(), None, (), {})
        failed.attempt_number = attempts
        return strategy(multiplier=self.delay, exp_base=self.factor, max=self.longest)(failed)
