"""A function that a model may call, with what the model is told about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Generic, Unpack, overload

from pydantic import ValidationError

from agentgraph.calling import (
    Settled,
    ToolFuncContext,
    ToolFuncPlain,
    ToolParams,
    ToolPrepareFunc,
    documentation,
    parameters,
    settle,
    underlying,
)
from agentgraph.context import DepsT_contra
from agentgraph.exceptions import ModelRetry, UserError
from agentgraph.graph import AfterCrash
from agentgraph.messages import ToolCallPart
from agentgraph.model import ToolDefinition

from .docstrings import Documentation, read_docstring
from .options import ToolConfig, ToolOptions, tool_signature
from .schema import Arguments, Bound, Unfit, read_signature

__all__ = ["Tool"]


class Tool(Generic[DepsT_contra]):
    """A tool, not changed once it is made: any number of agents and runs share it."""

    __signature__: ClassVar = tool_signature()

    @overload
    def __init__(
        self, function: ToolFuncContext[DepsT_contra, ToolParams], **options: Unpack[ToolOptions[DepsT_contra]]
    ) -> None: ...
    @overload
    def __init__(self, function: ToolFuncPlain[ToolParams], **options: Unpack[ToolOptions[DepsT_contra]]) -> None: ...
    def __init__(self, function: Callable[..., Any], **options: Unpack[ToolOptions[Any]]) -> None:  # Any: as above
        """Make a tool of `function`. Options: see `ToolOptions`.

        Raises:
            UserError: the signature cannot be turned into a schema; the message lists every reason. A name that is
                not defined yet is looked for again, and may raise, when the definition is first asked for.
            TypeError: there is no such option.
        """
        config: ToolConfig[Any] = ToolConfig(**options)  # Any: the overloads tell
        self.function: Callable[..., Any] = function  # Any: whatever JSON can hold
        self.name = config.name or _name_of(function)
        self.max_retries = config.max_retries
        self.prepare: ToolPrepareFunc[DepsT_contra] | None = config.prepare
        self.docstring_format = config.docstring_format
        self.require_parameter_descriptions = config.require_parameter_descriptions
        self.timeout = config.timeout
        self.requires_approval = config.requires_approval
        self.after_crash: AfterCrash = config.after_crash
        self.settled: Settled[Any] = settle(function, takes_ctx=config.takes_ctx)  # Any: as above
        self.takes_ctx = self.settled.takes_ctx
        self._documentation = _documentation(function, config)
        self.description: str = self._documentation.summary if config.description is None else config.description
        read = self._read_signature()
        self._arguments = read if isinstance(read, Arguments) else None
        if isinstance(read, Unfit) and not read.may_resolve:
            raise self._unfit(read)
        self._definition: ToolDefinition | None = None

    @property
    def definition(self) -> ToolDefinition:
        """What a model is told about the tool; made once and shared, so not to be changed.

        Raises:
            UserError: an annotation uses a name that is still not defined.
        """
        if self._definition is None:
            schema = self._settled_arguments().json_schema
            self._definition = ToolDefinition(self.name, self.description, schema)
        return self._definition

    def accepts(self, call: ToolCallPart) -> bool:
        """Whether the arguments of a model's call fit."""
        try:
            self.read(call)
        except (ValidationError, ModelRetry):
            return False
        return True

    def read(self, call: ToolCallPart) -> Bound:
        """The arguments of a model's call, validated, as the function takes them.

        Raises:
            ValidationError: they do not fit (pydantic's).
            UserError: as `definition`.
        """
        return (self._arguments or self._settled_arguments()).read(call)

    def __repr__(self) -> str:
        return f"Tool({self.name!r})"

    def _settled_arguments(self) -> Arguments:
        if self._arguments is None:
            read = self._read_signature()
            if isinstance(read, Unfit):
                raise self._unfit(read)
            self._arguments = read
        return self._arguments

    def _read_signature(self) -> Arguments | Unfit:
        return read_signature(
            self.function,
            takes_ctx=self.takes_ctx,
            descriptions=self._documentation.parameters,
            require_descriptions=self.require_parameter_descriptions,
        )

    def _unfit(self, unfit: Unfit) -> UserError:
        reasons = "".join(f"\n  - {problem}" for problem in unfit.problems)
        return UserError(f"the signature of tool {self.name!r} cannot be turned into a schema:{reasons}")


def _name_of(function: Callable[..., object]) -> str:
    target = underlying(function)
    name = getattr(target, "__name__", type(target).__name__)
    if name == "__call__":
        name = type(function).__name__
    if not name.isidentifier():
        msg = f"{name} is no name for a tool; give it one with `name=`"
        raise UserError(msg)
    return name


def _documentation(function: Callable[..., object], config: ToolConfig[Any]) -> Documentation:  # Any: of no matter here
    doc = documentation(function)
    try:
        names = [given.name for given in parameters(function)]
    except ValueError:
        names = []
    return read_docstring(doc, names, config.docstring_format)
