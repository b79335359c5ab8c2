"""What the nodes of one run work with: every option settled, nothing below asks whether it is None."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeAlias

from typing_extensions import TypeVar

from agentgraph.context import CallScope, RunContext
from agentgraph.graph import GraphRunContext
from agentgraph.messages import ModelMessage, UserContent, UserPromptPart
from agentgraph.model import Model
from agentgraph.result import ResultSchema, ResultValidator
from agentgraph.settings import ModelSettings
from agentgraph.tools import Tool
from agentgraph.usage import Usage, UsageLimits

from .prompts import SystemPrompts
from .state import AgentState

__all__ = ["AgentContext", "EndStrategy", "RunConfig", "Toolbox", "run_context"]

DepsT = TypeVar("DepsT", default=None, covariant=True)

EndStrategy: TypeAlias = Literal["early", "exhaustive"]
"""What becomes of the other tool calls of a reply that holds the final result: skipped, or run too."""


@dataclass(frozen=True)
class Toolbox(Generic[DepsT]):
    """The tools of an agent, and how often and how long they may try."""

    tools: Mapping[str, Tool[Any]]  # Any: Tool is invariant, an agent's tools take its deps or none
    retries: int = 1
    """How often in a row a tool may be asked for again, where it does not say itself."""
    timeout: float | None = None
    """Seconds a call may take, where its tool does not say itself."""

    def max_retries(self, name: str) -> int:
        """How often in a row this tool may be asked for again."""
        own = self.tools[name].max_retries
        return self.retries if own is None else own


@dataclass(frozen=True)
class RunConfig(Generic[DepsT]):
    """How one run of an agent works. The same for all of its nodes; made anew when the run is resumed."""

    deps: DepsT
    model: Model
    settings: ModelSettings | None
    limits: UsageLimits
    prompts: SystemPrompts
    toolbox: Toolbox[Any]
    result: ResultSchema[Any]  # Any: the nodes carry results, they never look at them
    validators: Sequence[ResultValidator[Any, Any]] = ()
    result_retries: int = 1
    end_strategy: EndStrategy = "early"
    scope: CallScope | None = None
    """The call that the run was started by, if it is a child."""

    def spent(self, usage: Usage) -> Usage:
        """What the limits hold for, where the run itself has come to `usage`: all of the tree, as of now."""
        return usage if self.scope is None else usage + self.scope.beside()

    def counting(self, used: Callable[[], Usage]) -> AbstractContextManager[None]:
        """Let the rest of the tree know meanwhile what the run uses that is not in its usage yet."""
        return nullcontext() if self.scope is None else self.scope.counting(used)


AgentContext: TypeAlias = GraphRunContext[AgentState, RunConfig[DepsT]]
"""What an agent's nodes run with."""


def run_context(ctx: AgentContext[DepsT]) -> RunContext[DepsT]:
    """The run as the user's functions see it now."""
    state, config = ctx.state, ctx.deps
    return RunContext(
        deps=config.deps,
        model=config.model,
        usage=state.usage,
        prompt=_prompt(state),
        messages=state.message_history,
        run_step=state.run_step,
        run_id=ctx.run_id,
    )


def _prompt(state: AgentState) -> str | Sequence[UserContent]:
    # The prompt is in the run's first message; it is looked up, so that it is stored once.
    for message in _new(state):
        for part in message.parts:
            if isinstance(part, UserPromptPart):
                return part.content
    return ""


def _new(state: AgentState) -> Sequence[ModelMessage]:
    return state.message_history[state.new_from : state.new_from + 1]
