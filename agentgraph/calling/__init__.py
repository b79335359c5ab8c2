"""A user's function of any shape, settled once; and what a model's calls of tools and of results have in common."""

from __future__ import annotations

from .aliases import meant
from .arguments import call_json, refusal
from .json_schema import SchemaError, describe
from .settled import Settled, settle
from .shapes import (
    ResultValidatorFunc,
    SystemPromptFunc,
    ToolFuncContext,
    ToolFuncEither,
    ToolFuncPlain,
    ToolParams,
    ToolPrepareFunc,
)
from .signatures import Unresolved, documentation, is_context, parameters, resolve, takes_context, underlying
from .typed_dicts import NOTHING, typed_dict

__all__ = [
    "NOTHING",
    "ResultValidatorFunc",
    "SchemaError",
    "Settled",
    "SystemPromptFunc",
    "ToolFuncContext",
    "ToolFuncEither",
    "ToolFuncPlain",
    "ToolParams",
    "ToolPrepareFunc",
    "Unresolved",
    "call_json",
    "describe",
    "documentation",
    "is_context",
    "meant",
    "parameters",
    "refusal",
    "resolve",
    "settle",
    "takes_context",
    "typed_dict",
    "underlying",
]
