"""What an agent is made with: each keyword is described once, here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any, Generic

from typing_extensions import TypedDict, TypeVar

from agentgraph.settings import ModelSettings
from agentgraph.tools import Tool

from .config import EndStrategy
from .options import StoreLike

__all__ = ["AGENT_DEFAULTS", "AgentOptions", "AgentSettings"]

DepsT = TypeVar("DepsT", default=None)


class AgentOptions(TypedDict, Generic[DepsT], total=False):
    """The keywords of `Agent`, beside `result_type` and `deps_type`."""

    system_prompt: str | Sequence[str]
    """Fixed system prompts, one or several."""
    name: str | None
    """The agent's name; by default that of the variable which holds it when it is first run."""
    model_settings: ModelSettings | None
    """Settings of every request, unless the run says otherwise."""
    retries: int
    """How often in a row a tool, and in all the result, may be asked for again; 1 by default."""
    result_tool_name: str
    """The name of the tool that takes the result; `'final_result'` by default."""
    result_tool_description: str | None
    """Told to the model about that tool."""
    result_retries: int | None
    """How often the result may be asked for again; by default `retries`."""
    tools: Sequence[Tool[DepsT] | Callable[..., Any]]  # Any: a tool may return whatever JSON can hold
    """Functions that the model may call; one whose first parameter is a `RunContext` gets it."""
    defer_model_check: bool
    """Whether a model that is named is looked up at the first run, not at once; False by default."""
    end_strategy: EndStrategy
    """What becomes of the other calls of a reply that holds the result; `'early'` by default: they are skipped."""
    instrument: object
    """How runs are observed: True for OpenTelemetry, or what `agentgraph.observe` has; False: not at all.

    By default as `Agent.instrument_all` said.
    """
    store: StoreLike | None
    """Where runs are kept: a store, or what `open_store` takes; by default in this process's memory."""
    tool_timeout: float | None
    """Seconds that a call of a tool may take, where the tool does not say itself; by default as long as it takes."""


@dataclass(frozen=True, kw_only=True)
class AgentSettings:
    """`AgentOptions` with the defaults filled in."""

    system_prompt: str | Sequence[str] = ()
    name: str | None = None
    model_settings: ModelSettings | None = None
    retries: int = 1
    result_tool_name: str = "final_result"
    result_tool_description: str | None = None
    result_retries: int | None = None
    tools: Sequence[Tool[Any] | Callable[..., Any]] = ()
    defer_model_check: bool = False
    end_strategy: EndStrategy = "early"
    instrument: object = None
    store: StoreLike | None = None
    tool_timeout: float | None = None


AGENT_DEFAULTS: dict[str, object] = {
    "result_type": str,
    "deps_type": NoneType,
    **{name: getattr(AgentSettings, name) for name in AgentSettings.__annotations__},
}
"""What each keyword of an agent is where it is left out."""
