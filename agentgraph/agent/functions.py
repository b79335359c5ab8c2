"""The decorators by which an agent learns of the user's functions. Each hands back the function it got."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Concatenate, Generic, ParamSpec, overload

from typing_extensions import TypedDict, TypeVar, Unpack

from agentgraph.calling import SystemPromptFunc, ToolPrepareFunc
from agentgraph.context import RunContext
from agentgraph.exceptions import UserError
from agentgraph.graph import AfterCrash
from agentgraph.result import ResultSchema, ResultValidator
from agentgraph.tools import DocstringFormat, Tool

from .prompts import PromptFunction, SystemPrompts
from .toolbox import Toolbox

__all__ = ["AgentFunctions", "AgentToolOptions", "check_names"]

P = ParamSpec("P")
R = TypeVar("R")
PromptT = TypeVar("PromptT", bound=SystemPromptFunc[Any])  # Any: see `system_prompt`
DepsT = TypeVar("DepsT", default=None)
ResultT = TypeVar("ResultT", default=str)


class AgentToolOptions(TypedDict, Generic[DepsT], total=False):
    """The keywords of `Agent.tool` and `Agent.tool_plain`."""

    name: str | None
    """The tool's name; None: the function's."""
    retries: int | None
    """How often in a row a run may ask the model again about calls of this tool; None: what the agent says."""
    prepare: ToolPrepareFunc[DepsT] | None
    """Changes the definition for a step, or leaves the tool out of it."""
    docstring_format: DocstringFormat
    """The convention of the function's docstring; `'auto'` by default."""
    require_parameter_descriptions: bool
    """Whether it is an error if a parameter is not described; False by default."""
    requires_approval: bool
    """Whether each call waits until a person has approved it; False by default."""
    after_crash: AfterCrash
    """Of a call whose process died over it: made again (`'retry'`, the default), asked about, or failing the run."""
    timeout: float | None
    """Seconds after which a call is given up and the model told so; None: what the agent says."""


class AgentFunctions(Generic[DepsT, ResultT]):
    """The functions of an agent: tools, system prompts, result validators."""

    def __init__(self, system_prompt: str | Sequence[str], result: ResultSchema[ResultT], toolbox: Toolbox) -> None:
        texts = (system_prompt,) if isinstance(system_prompt, str) else tuple(system_prompt)
        self._prompts = SystemPrompts(texts)
        self._result = result
        self._toolbox = toolbox
        self._validators: list[ResultValidator[Any, Any]] = []

    # A bound cannot say that the context holds this agent's deps; the rest of the function's shape is checked.
    @overload
    def system_prompt(self, function: PromptT, /) -> PromptT: ...
    @overload
    def system_prompt(self, /, *, dynamic: bool = False) -> Callable[[PromptT], PromptT]: ...
    def system_prompt(self, function: Callable[..., Any] | None = None, /, *, dynamic: bool = False) -> Any:
        """Let a function make a system prompt: of nothing, or of the `RunContext`; sync or async.

        With `dynamic`, it is asked again when a run goes on from a message history.
        """

        def register(prompt: Callable[..., Any]) -> Callable[..., Any]:
            made = PromptFunction.of(prompt, dynamic=dynamic)
            self._prompts.functions.append(made)
            return prompt

        return register if function is None else register(function)

    @overload
    def tool(
        self, function: Callable[Concatenate[RunContext[DepsT], P], R], /
    ) -> Callable[Concatenate[RunContext[DepsT], P], R]: ...
    @overload
    def tool(
        self, /, **options: Unpack[AgentToolOptions[DepsT]]
    ) -> Callable[[Callable[Concatenate[RunContext[DepsT], P], R]], Callable[Concatenate[RunContext[DepsT], P], R]]: ...
    def tool(self, function: Callable[..., Any] | None = None, /, **options: Unpack[AgentToolOptions[DepsT]]) -> Any:
        """Let the model call a function whose first parameter is the `RunContext`. Options: see `AgentToolOptions`.

        Raises:
            UserError: its name is taken, or its signature cannot be turned into a schema.
        """
        return self._tool(function, options, takes_ctx=True)

    @overload
    def tool_plain(self, function: Callable[P, R], /) -> Callable[P, R]: ...
    @overload
    def tool_plain(
        self, /, **options: Unpack[AgentToolOptions[DepsT]]
    ) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
    def tool_plain(
        self, function: Callable[..., Any] | None = None, /, **options: Unpack[AgentToolOptions[DepsT]]
    ) -> Any:
        """Let the model call a function that takes no context. Options: see `AgentToolOptions`.

        Raises:
            UserError: its name is taken, or its signature cannot be turned into a schema.
        """
        return self._tool(function, options, takes_ctx=False)

    @overload
    def result_validator(
        self, function: Callable[[RunContext[DepsT], ResultT], R], /
    ) -> Callable[[RunContext[DepsT], ResultT], R]: ...
    @overload
    def result_validator(self, function: Callable[[ResultT], R], /) -> Callable[[ResultT], R]: ...
    def result_validator(self, function: Callable[..., Any], /) -> Callable[..., Any]:
        """Let a function of `(ctx, data)` or `(data)` look at the result: it returns it, or raises `ModelRetry`."""
        self._validators.append(ResultValidator(function))
        return function

    def _add_tool(self, tool: Tool[Any]) -> None:
        """Let the model call `tool`.

        Raises:
            UserError: the name is taken by another tool or a result tool.
        """
        check_names([tool.name], self._result)
        self._toolbox.add(tool)

    def _tool(
        self, function: Callable[..., Any] | None, options: AgentToolOptions[DepsT], *, takes_ctx: bool
    ) -> Callable[..., Any]:
        def register(tool: Callable[..., Any]) -> Callable[..., Any]:
            given: dict[str, Any] = {**options}
            if "retries" in given:
                given["max_retries"] = given.pop("retries")
            self._add_tool(Tool(tool, takes_ctx=takes_ctx, **given))
            return tool

        return register if function is None else register(function)


def check_names(tools: Iterable[str], result: ResultSchema[Any]) -> None:
    """Refuse tools that would be taken for result tools.

    Raises:
        UserError: a name is that of a result tool.
    """
    for name in tools:
        if name in result.tool_names:
            raise UserError(f"{name!r} is the name of a result tool; give `result_tool_name=` or another `name=`")
