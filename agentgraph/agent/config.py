"""What the nodes of one run work with: every option settled, nothing below asks whether it is None."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from agentgraph.usage import Usage, UsageLimits

from .prompts import SystemPrompts
from .state import AgentState
from .toolbox import Toolbox

__all__ = ["AgentContext", "EndStrategy", "RunConfig", "prompt_of", "run_context"]

DepsT = TypeVar("DepsT", default=None, covariant=True)

EndStrategy: TypeAlias = Literal["early", "exhaustive"]
"""What becomes of the other tool calls of a reply that holds the final result: skipped, or run too."""

_UNCOUNTED = nullcontext()


@dataclass(slots=True)
class RunConfig(Generic[DepsT]):
    """How one run of an agent works. The same for all of its nodes; made anew when the run is resumed.

    Never changed. It is not frozen, since each run makes one, and that would take four times as long.
    """

    deps: DepsT
    model: Model
    settings: ModelSettings | None
    limits: UsageLimits
    prompts: SystemPrompts
    toolbox: Toolbox
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
        return _UNCOUNTED if self.scope is None else self.scope.counting(used)


AgentContext: TypeAlias = GraphRunContext[AgentState, RunConfig[DepsT]]
"""What an agent's nodes run with."""


def run_context(ctx: AgentContext[DepsT]) -> RunContext[DepsT]:
    """The run as the user's functions see it now."""
    state, config = ctx.state, ctx.deps
    return RunContext(
        deps=config.deps,
        model=config.model,
        usage=state.usage,
        prompt=prompt_of(state),
        messages=state.message_history,
        run_step=state.run_step,
        run_id=ctx.run_id,
    )


def prompt_of(state: AgentState) -> str | Sequence[UserContent]:
    """What the user asked. It is in the run's first message, and looked up, so that it is stored once."""
    for message in _new(state):
        for part in message.parts:
            if isinstance(part, UserPromptPart):
                return part.content
    return ""


def _new(state: AgentState) -> Sequence[ModelMessage]:
    return state.message_history[state.new_from : state.new_from + 1]
