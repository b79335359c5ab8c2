"""The shapes of the functions that users give: tools, `prepare` functions, system prompts, validators."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Concatenate, TypeAlias

from typing_extensions import ParamSpec, TypeVar

from agentgraph.context import DepsT, RunContext
from agentgraph.model import ToolDefinition

__all__ = [
    "ResultValidatorFunc",
    "SystemPromptFunc",
    "ToolFuncContext",
    "ToolFuncEither",
    "ToolFuncPlain",
    "ToolParams",
    "ToolPrepareFunc",
]

ToolParams = ParamSpec("ToolParams", default=...)
"""The parameters of a tool's function besides the context."""
T = TypeVar("T", default=Any)  # Any: a default has to follow the one of DepsT

# Any: a tool may return whatever JSON can hold, sync or async.
ToolFuncContext: TypeAlias = Callable[Concatenate[RunContext[DepsT], ToolParams], Any]
"""A tool's function that takes the context first."""
ToolFuncPlain: TypeAlias = Callable[ToolParams, Any]
"""A tool's function without context."""
ToolFuncEither: TypeAlias = ToolFuncContext[DepsT, ToolParams] | ToolFuncPlain[ToolParams]
"""A tool's function."""

ToolPrepareFunc: TypeAlias = Callable[[RunContext[DepsT], ToolDefinition], Awaitable[ToolDefinition | None]]
"""Changes or, with None, leaves out a tool for one step. It gets a copy of the definition."""

SystemPromptFunc: TypeAlias = (
    Callable[[RunContext[DepsT]], str]
    | Callable[[RunContext[DepsT]], Awaitable[str]]
    | Callable[[], str]
    | Callable[[], Awaitable[str]]
)
"""Makes a system prompt."""

ResultValidatorFunc: TypeAlias = (
    Callable[[RunContext[DepsT], T], T]
    | Callable[[RunContext[DepsT], T], Awaitable[T]]
    | Callable[[T], T]
    | Callable[[T], Awaitable[T]]
)
"""Checks a result: hands it back, as it was or changed, or raises `ModelRetry`."""
