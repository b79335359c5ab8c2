"""Tools: functions that a model may call, from the schema it sees to the part that answers its call."""

from __future__ import annotations

from agentgraph.calling import (
    ResultValidatorFunc,
    SystemPromptFunc,
    ToolFuncContext,
    ToolFuncEither,
    ToolFuncPlain,
    ToolParams,
    ToolPrepareFunc,
)
from agentgraph.model import ToolDefinition

from .calls import run_call, unknown_tool
from .docstrings import DocstringFormat
from .options import ToolConfig, ToolOptions
from .preparing import prepare
from .tool import Tool

__all__ = [
    "DocstringFormat",
    "ResultValidatorFunc",
    "SystemPromptFunc",
    "Tool",
    "ToolConfig",
    "ToolDefinition",
    "ToolFuncContext",
    "ToolFuncEither",
    "ToolFuncPlain",
    "ToolOptions",
    "ToolParams",
    "ToolPrepareFunc",
    "prepare",
    "run_call",
    "unknown_tool",
]
