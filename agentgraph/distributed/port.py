"""The port to what executes runs elsewhere: `Dispatcher`, and what it is asked with.

A dispatcher only says "advance run R", at least once, and in which order. What a run is and how far it has come is the
store's affair alone: whoever advances a run claims it there, so a repeated or late dispatch changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from typing_extensions import TypedDict, Unpack

from agentgraph.agent import Agent
from agentgraph.graph import Deadline, Graph, Status, Store, Submittable
from agentgraph.messages import ModelMessage
from agentgraph.settings import ModelSettings
from agentgraph.usage import UsageLimits

from .health import Health
from .limits import Limits
from .results import Resumable
from .served import Served
from .states import FleetState

__all__ = ["GRACE", "Dispatcher", "ServeOptions", "Serveable", "SubmitOptions"]

StartT = TypeVar("StartT")
OutcomeT = TypeVar("OutcomeT")

Serveable = Served | Agent[Any, Any] | Graph[Any, Any, Any]  # Any: of whatever types, each is given its own runs
"""What a worker can execute runs of."""


class SubmitOptions(TypedDict, total=False):
    """The keywords of `Dispatcher.submit`: where the run stands in line, and what it begins with."""

    queue: str
    """The queue it stands in; by default that with the name of its agent or graph."""
    tenant: str | None
    """Whom it is for, where the queue bounds what one tenant may have."""
    priority: int
    """1 comes before 2, and 0, the default, before both; where a database limits tenants, among the runs of each."""
    delay: float
    """Seconds before which it does not begin."""
    run_id: str | None
    """Its id; made up by default. Submitted again under the same id, it is the same run."""
    deadline: Deadline | None
    """When it has to be done: an aware `datetime`, or seconds from now."""
    state: Any
    """Of a graph's run: its state."""  # Any: of the graph's own type, which is checked
    conversation: str | None
    """Of an agent's run: the conversation that it is the next turn of."""
    message_history: list[ModelMessage] | None
    """Of an agent's run: the conversation so far."""
    model: str | None
    """Of an agent's run: its model, by name; by default the agent's."""
    model_settings: ModelSettings | None
    """Of an agent's run: settings, merged over the agent's."""
    usage_limits: UsageLimits | None
    """Of an agent's run: how much it may use."""


GRACE = 30.0
"""Seconds that steps may take to end, where nobody says otherwise."""


class ServeOptions(TypedDict, total=False):
    """The keywords of `Dispatcher.serve`."""

    queues: Sequence[str]
    """The queues to take runs from; by default those with the names of what is served."""
    concurrency: int | None
    """Runs of a queue that each of its workers executes at once: sets `Limits.per_worker` of the queues."""
    ready: Callable[[], None]
    """Called when runs are taken, from then on."""
    grace: float
    """Seconds that steps may take to end when serving ends; a run whose step does not is handed on in its middle, as if
    the process had died, and the step begins anew elsewhere. 30 by default."""


class Dispatcher(Protocol):
    """Has runs executed. Its methods may be awaited from any event loop, but where an implementation says otherwise."""

    @property
    def store(self) -> Store:
        """Where the runs are kept; answers, events and results are read and written there."""
        ...

    async def submit(self, what: Submittable[StartT], start: StartT, /, **options: Unpack[SubmitOptions]) -> str:
        """Have a run executed: of an agent from a prompt, of a graph from a node. Options: see `SubmitOptions`.

        It is stored, and stands in its queue, when this returns its id.

        Raises:
            UserError: what is submitted has no name; the options do not go together, or need what is not stored.
            RunExists: the id is that of another run.
            RunBusy, RunNotResumable: the conversation's turn before has not ended.
            StoreError: the store cannot be written; the run is not there.
        """
        ...

    async def serve(self, agents: Sequence[Serveable], **options: Unpack[ServeOptions]) -> None:
        """Execute runs of these agents and graphs until `stop` is called or this is cancelled. Options: `ServeOptions`.

        Then no further run is begun; what is executed ends its step and is handed on.

        Raises:
            UserError: two have one name, or one has none; a library is missing.
            StoreError: the store cannot be had.
        """
        ...

    def stop(self) -> None:
        """Have `serve` return, wherever it is awaited."""
        ...

    async def result(self, what: Resumable[OutcomeT], run_id: str) -> OutcomeT:
        """Wait until a run has ended, from any process; what its agent or graph has returned.

        Raises:
            RunNotFound: there is no such run, or no longer.
            RunCancelled: it was cancelled.
            AgentRunError: it has failed.
            StoreError: the store cannot be read.
        """
        ...

    async def cancel(self, run_id: str) -> Status:
        """Ask for the cancellation of a run and of those below it; see `Agent.cancel`."""
        ...

    async def wake(self, run_id: str) -> Status:
        """Have a run gone on with that has failed or was cancelled, or that stands still for any reason.

        Answers and timers wake runs by themselves.

        Returns:
            How the run stands now: ready to go on, if it is not executed already and has not succeeded.

        Raises:
            RunNotFound: there is no such run.
            UserError: it was never submitted.
        """
        ...

    async def limit(self, queue: str, limits: Limits) -> None:
        """Set what a queue lets happen at once.

        Raises:
            StoreError: they cannot be written.
        """
        ...

    async def state(self) -> FleetState:
        """How the queues stand, and who executes runs: other processes too, where the dispatcher knows them.

        Raises:
            StoreError: the store cannot be read.
        """
        ...

    def health(self) -> Health:
        """How serving goes in this process."""
        ...

    async def aclose(self) -> None:
        """Stop serving, and let go of the store, which is closed if nobody else in this process has it."""
        ...
