"""One call of a tool: from the part that asks to the part that answers."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from anyio import move_on_after
from pydantic import ValidationError
from pydantic_core import to_json

from agentgraph.calling import refusal
from agentgraph.context import DepsT, RunContext
from agentgraph.exceptions import ModelRetry, UserError
from agentgraph.messages import RetryPromptPart, ToolCallPart, ToolReturnPart

from .tool import Tool

__all__ = ["run_call", "unknown_tool"]


async def run_call(
    tool: Tool[DepsT], call: ToolCallPart, ctx: RunContext[DepsT] | None, *, default_timeout: float | None = None
) -> ToolReturnPart | RetryPromptPart:
    """Call the tool as the model asked. No task is spawned, and no thread unless the function is sync.

    Args:
        tool: the tool that `call` names.
        call: what the model asked for.
        ctx: the context of this call: `tool_name`, `tool_call_id` and `retry` are set. None: the tool takes none.
        default_timeout: seconds, for a tool that sets none itself.

    Returns:
        What the tool returned, as it is; of a sync function also after the time was over, as nothing stops a thread.
        Arguments that do not fit, a `ModelRetry` and a call that took too long are prompts to try again; other
        exceptions of the tool pass.

    Raises:
        UserError: JSON cannot hold what the tool returned.
    """
    try:
        args, kwargs = tool.read(call)
    except (ValidationError, ModelRetry) as problem:
        return refusal(problem, call)
    seconds = default_timeout if tool.timeout is None else tool.timeout
    content: Any = None  # Any: whatever the tool returns
    try:
        if seconds is None:
            content = await tool.settled(ctx, *args, **kwargs)
        else:
            with move_on_after(seconds) as scope:
                content = await tool.settled(ctx, *args, **kwargs)
            if scope.cancelled_caught:  # else it has come to its end: the thread of a sync function always does
                return _too_late(call, seconds)
    except ModelRetry as problem:
        return refusal(problem, call)
    _check_return(tool.name, content)
    return ToolReturnPart(call.tool_name, content, call.tool_call_id)


def unknown_tool(call: ToolCallPart, names: Collection[str]) -> RetryPromptPart:
    """The answer to a call of a tool that is not among `names`."""
    there_are = f"The tools are: {', '.join(names)}." if names else "There are no tools."
    return refusal(ModelRetry(f"There is no tool named {call.tool_name!r}. {there_are}"), call)


def _too_late(call: ToolCallPart, seconds: float) -> RetryPromptPart:
    return refusal(
        ModelRetry(f"The tool did not finish within {seconds:g} seconds; what it had begun may be done."), call
    )


def _check_return(name: str, content: object) -> None:
    reason = _why_not_json(content)
    if reason is not None:
        kind = type(content).__qualname__
        raise UserError(
            f"tool {name!r} returned a {kind}, which cannot be turned into JSON ({reason}); "
            "return text, numbers, lists, dicts, dataclasses or pydantic models"
        )


def _why_not_json(content: object) -> str | None:
    if (isinstance(content, str) and content.isascii()) or content is None or isinstance(content, int | float):
        return None
    if isinstance(content, Iterator):
        return "it can be read only once"
    try:
        to_json(content, bytes_mode="base64")
    except ValueError as error:
        return str(error)
    return None
