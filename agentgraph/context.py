"""RunContext: what a run shows to the functions that a user gives it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, Self, TypedDict, Unpack

from typing_extensions import TypeVar

from agentgraph.graph import Store
from agentgraph.messages import ModelMessage, UserContent
from agentgraph.model import Model
from agentgraph.usage import Usage, UsageLimits

__all__ = ["CallScope", "ContextChanges", "DepsT", "DepsT_co", "DepsT_contra", "RunContext"]

DepsT = TypeVar("DepsT", default=None)
"""The type of an agent's dependencies."""
DepsT_co = TypeVar("DepsT_co", covariant=True, default=None)
"""The same where dependencies are only handed out."""
DepsT_contra = TypeVar("DepsT_contra", contravariant=True, default=object)
"""The same where dependencies are only taken: what asks for none takes any."""


@dataclass
class CallScope:
    """What the runs that a call of a tool starts share with the run that makes the call."""

    store: Store
    """Where the run is kept, and so are they."""
    limits: UsageLimits
    """What the run may use, they included."""
    beside: Callable[[], Usage]
    """What else counts towards that: the calls that are made at the same time have used it."""
    prefix: str
    """What their ids begin with: the same at every attempt of the call."""
    children: list[str] = field(default_factory=list[str])
    """Their ids, in the order started."""
    below: list[Callable[[], Usage]] = field(default_factory=list[Callable[[], Usage]])
    """What they use right now, and have not counted yet."""

    @contextmanager
    def counting(self, used: Callable[[], Usage]) -> Generator[None]:
        """Have `used` counted inside of the block, by whoever asks what the tree has used."""
        self.below.append(used)
        try:
            yield
        finally:
            self.below.remove(used)

    def start(self, key: str | None) -> str:
        """The id of the next one; `key` tells it from others that are started at the same time."""
        child = f"{self.prefix}.{len(self.children) if key is None else key}"
        self.children.append(child)
        return child


class ContextChanges(TypedDict, total=False):
    """What differs between the contexts of one run; the fields are those of `RunContext`."""

    prompt: str | Sequence[UserContent]
    messages: list[ModelMessage]
    tool_call_id: str | None
    tool_name: str | None
    retry: int
    run_step: int
    run_id: str
    idempotency_key: str | None


@dataclass(frozen=True)
class RunContext(Generic[DepsT_co]):
    """The run as tools, system prompts, validators and `prepare` functions see it."""

    deps: DepsT_co
    """What was handed to the run as `deps`."""
    model: Model
    """The model that the run talks to."""
    usage: Usage
    """The usage of the run so far; the live object, so that an agent called in a tool can add to it."""
    prompt: str | Sequence[UserContent]
    """What the user asked in this run."""
    messages: list[ModelMessage] = field(default_factory=list[ModelMessage])
    """The conversation so far."""
    tool_call_id: str | None = None
    """The id that the model gave the current call; None outside of a call."""
    tool_name: str | None = None
    """The tool being prepared or called."""
    retry: int = 0
    """How often the tool, or the result, was asked for again in this run."""
    run_step: int = 0
    """The number of the current step."""
    run_id: str = ""
    """The id of the run."""
    tool_call_approved: bool = False
    """Whether a person has approved this call."""
    idempotency_key: str | None = None
    """The same for every attempt of one call, also after a crash: hand it to services that drop repeated requests."""
    scope: CallScope | None = field(default=None, repr=False, compare=False)
    """Where `parent=ctx` puts the run of an agent; None outside of a call."""

    def replace_with(self, **changes: Unpack[ContextChanges]) -> Self:
        """A copy in which `changes` hold.

        Raises:
            TypeError: a change names no field that may change.
        """
        unknown = changes.keys() - ContextChanges.__annotations__.keys()
        if unknown:
            msg = f"a run context has nothing to change named {', '.join(sorted(unknown))}"
            raise TypeError(msg)
        # Four times as fast as `dataclasses.replace`, and made for each call of a tool.
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__, **changes)
        return copy
