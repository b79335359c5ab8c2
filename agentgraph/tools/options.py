"""The options of a tool, each with its meaning and default, once."""

from __future__ import annotations

from dataclasses import dataclass, fields
from inspect import Parameter, Signature
from typing import Generic

from typing_extensions import TypedDict

from agentgraph.calling import ToolPrepareFunc
from agentgraph.context import DepsT
from agentgraph.graph import AfterCrash

from .docstrings import DocstringFormat

__all__ = ["ToolConfig", "ToolOptions", "tool_signature"]


class ToolOptions(TypedDict, Generic[DepsT], total=False):
    """The keywords of `Tool`."""

    takes_ctx: bool | None
    """Whether the function's first argument is the `RunContext`; None: its annotation tells."""
    max_retries: int | None
    """How often a run may ask the model again about calls of this tool; None: what the agent says."""
    name: str | None
    """The tool's name; None: the function's."""
    description: str | None
    """What the model is told about the tool; None: what the docstring says."""
    prepare: ToolPrepareFunc[DepsT] | None
    """Changes the definition for a step, or leaves the tool out of it."""
    docstring_format: DocstringFormat
    """The convention of the function's docstring."""
    require_parameter_descriptions: bool
    """Whether it is an error if a parameter is not described."""
    requires_approval: bool
    """Whether each call waits until a person has approved it; False by default."""
    after_crash: AfterCrash
    """Of a call whose process died over it: made again (`'retry'`, the default), asked about, or failing the run."""
    timeout: float | None
    """Seconds after which a call is given up and the model told so; None: what the agent says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolConfig(Generic[DepsT]):
    """`ToolOptions` with the defaults filled in."""

    takes_ctx: bool | None = None
    max_retries: int | None = None
    name: str | None = None
    description: str | None = None
    prepare: ToolPrepareFunc[DepsT] | None = None
    docstring_format: DocstringFormat = "auto"
    require_parameter_descriptions: bool = False
    requires_approval: bool = False
    after_crash: AfterCrash = "retry"
    timeout: float | None = None


def tool_signature() -> Signature:
    """The signature of `Tool`, its options spelled out."""
    function = Parameter("function", Parameter.POSITIONAL_OR_KEYWORD, annotation="ToolFuncEither[DepsT, ToolParams]")
    options = [
        Parameter(option.name, Parameter.KEYWORD_ONLY, default=option.default, annotation=option.type)
        for option in fields(ToolConfig)
    ]
    return Signature([function, *options])
