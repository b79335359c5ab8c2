"""Functions of the user that look at a result before it counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic

from typing_extensions import TypeVar

from agentgraph.calling import ResultValidatorFunc, Settled, refusal, settle, takes_context
from agentgraph.context import DepsT, RunContext
from agentgraph.exceptions import ModelRetry
from agentgraph.messages import ToolCallPart

from .verdicts import Accepted, Rejected

__all__ = ["ResultValidator", "validate"]

T = TypeVar("T", default=Any)  # Any: a default has to follow the one of DepsT


class ResultValidator(Generic[DepsT, T]):
    """A function of `(ctx, data)` or `(data)`, sync or async, that hands back the data or raises `ModelRetry`."""

    def __init__(self, function: ResultValidatorFunc[DepsT, T]) -> None:
        """Settle how `function` is called: an annotation tells, or that it takes two arguments."""
        self.function = function
        self._settled: Settled[Any] = settle(function, takes_ctx=takes_context(function, besides=1))  # Any: T

    async def __call__(self, data: T, ctx: RunContext[DepsT]) -> T:
        """What the function makes of `data`."""
        checked: T = await self._settled(ctx, data)
        return checked


async def validate(
    validators: Sequence[ResultValidator[DepsT, T]], value: T, call: ToolCallPart | None, ctx: RunContext[DepsT]
) -> Accepted[T] | Rejected:
    """Pass `value` through the validators in order, each getting what the one before handed back.

    Args:
        validators: those of the agent.
        value: a result that was read from a reply.
        call: the call of a result tool that gave it; None if it is text.
        ctx: the context of the run; the validators see the call in it.
    """
    if validators:
        if call is not None:
            ctx = ctx.replace_with(tool_name=call.tool_name, tool_call_id=call.tool_call_id)
        try:
            for validator in validators:
                value = await validator(value, ctx)
        except ModelRetry as problem:
            return Rejected(refusal(problem, call))
    return Accepted(value)
