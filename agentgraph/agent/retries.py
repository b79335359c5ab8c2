"""Counting how often the model is asked again, and where that ends. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from agentgraph.exceptions import UnexpectedModelBehavior
from agentgraph.messages import RetryPromptPart, ToolReturnPart

__all__ = ["count_result_retry", "count_tool_retries"]


def count_tool_retries(
    before: Mapping[str, int],
    answers: Collection[ToolReturnPart | RetryPromptPart],
    max_retries: Callable[[str], int],
) -> dict[str, int]:
    """The counts after a reply: one more for a tool with a failed call, none for one whose calls all succeeded.

    Raises:
        UnexpectedModelBehavior: a tool was asked for again more often than it may be.
    """
    failed = {answer.tool_name or "": answer for answer in answers if isinstance(answer, RetryPromptPart)}
    if not failed and not before:
        return {}
    counts = dict(before)
    for name in dict.fromkeys(answer.tool_name or "" for answer in answers):
        if name in failed:
            counts[name] = counts.get(name, 0) + 1
            _check(f"tool {name!r}", counts[name], max_retries(name), failed[name])
        else:
            counts.pop(name, None)
    return counts


def count_result_retry(before: int, answer: RetryPromptPart, max_retries: int) -> int:
    """The count after a reply in which the result was not usable.

    Raises:
        UnexpectedModelBehavior: the result was asked for again more often than it may be.
    """
    _check("the result", before + 1, max_retries, answer)
    return before + 1


def _check(what: str, count: int, allowed: int, answer: RetryPromptPart) -> None:
    if count > allowed:
        raise UnexpectedModelBehavior(
            f"{what} failed {count} time(s), which exceeds its maximum of {allowed} retries; "
            f"the model would have been told: {answer.model_response()}"
        )
