"""The arguments of a model's call as JSON, and the answer to a call whose arguments will not do."""

from __future__ import annotations

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from agentgraph.exceptions import ModelRetry, UnexpectedModelBehavior
from agentgraph.messages import RetryPromptPart, ToolCallPart

__all__ = ["call_json", "refusal"]


def call_json(call: ToolCallPart) -> str:
    """The arguments as JSON text, so that objects and text are validated by the same rules; empty text is `{}`.

    Raises:
        UnexpectedModelBehavior: an object holds what JSON cannot.
    """
    try:
        return call.args_as_json_str()
    except PydanticSerializationError as error:
        msg = f"the arguments of the call of {call.tool_name!r} cannot be JSON: {error}"
        raise UnexpectedModelBehavior(msg) from error


def refusal(problem: ValidationError | ModelRetry, call: ToolCallPart | None) -> RetryPromptPart:
    """What tells the model about the problem; `call` is None if it was with a text."""
    content = (
        problem.message
        if isinstance(problem, ModelRetry)
        # Contexts hold exception objects, and addresses of web pages are noise to a model.
        else problem.errors(include_url=False, include_context=False)
    )
    if call is None:
        return RetryPromptPart(content)
    return RetryPromptPart(content, tool_name=call.tool_name, tool_call_id=call.tool_call_id)
