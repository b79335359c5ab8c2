"""What a node gets to run with."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Generic, overload

from pydantic import ValidationError
from pydantic_core import to_json
from typing_extensions import TypeVar

from agentgraph.clock import Clock, SystemClock
from agentgraph.exceptions import RunWaiting

from .adapters import adapter_for
from .below import Place, RunsBelow, child_key
from .events import Emitted, Outlet
from .interruption import Interruption
from .journal import Journal, Once
from .live import Live
from .store import Store
from .timers import wake_time

__all__ = ["GraphRunContext"]

T = TypeVar("T")
StartT = TypeVar("StartT")
OutcomeT = TypeVar("OutcomeT")
StateT = TypeVar("StateT", default=None)
DepsT = TypeVar("DepsT", default=None, covariant=True)


@dataclass(slots=True)
class GraphRunContext(Generic[StateT, DepsT]):
    """The run as its nodes see it: one for the whole run, moved on by the scheduler from step to step.

    Made by hand, with a state and deps alone, it serves to test a node outside any run.
    """

    state: StateT
    deps: DepsT
    _: KW_ONLY
    run_id: str = ""
    seq: int = 0
    """The step that runs now."""
    branch: str = ""
    """The path of the branch that it is a step of; empty for the root."""
    attempt: int = 1
    """How often this step was begun: above 1 after a crash or a failure."""
    store: Store | None = field(default=None, repr=False)
    """Where the run is kept."""
    journal: Journal = field(default_factory=Journal, repr=False)
    lease: float = math.inf
    """Seconds that the claim on the run lasts where it is not renewed; infinite where the run is kept nowhere."""
    clock: Clock = field(default_factory=SystemClock, repr=False)
    outlet: Outlet = field(default_factory=Outlet, repr=False)
    interruption: Interruption = field(default_factory=Interruption, repr=False)
    """What stops the run in the middle of a step."""
    live: Live = field(default_factory=Live, repr=False)
    failure: BaseException | None = field(default=None, repr=False)
    """What fails the run: raised by a node, in its turn or in a stream of its own. A caller's error cancels it."""

    @overload
    async def once(self, key: str, fn: Callable[..., Awaitable[T]], *args: Any) -> T: ...
    @overload
    async def once(self, key: str, fn: Callable[..., T], *args: Any) -> T: ...
    async def once(self, key: str, fn: Callable[..., Any], *args: Any) -> Any:  # Any: the overloads tell
        """Call `fn(*args)` once for this step and `key`, even if the step runs again after a crash.

        Its value is journaled before this returns; when the step runs again, it comes from the journal. It has the
        type of `fn`'s return annotation. An exception is not journaled, so the next attempt calls again.

        Raises:
            RunFenced: another process has taken the run over.
            StoreError: the store cannot be written.
        """
        named: str = getattr(fn, "__qualname__", type(fn).__qualname__)
        plain = [arg for arg in args if arg is not self and arg is not self.state and arg is not self.deps]
        return await self.journal.once(Once(key, fn, args, identity=[named, plain]))

    def once_all(self, calls: Sequence[Once[T]]) -> Awaitable[list[T]]:
        """The same for a batch, side by side; the values in the order of the calls.

        The value that comes last is not journaled but left to the commit of the step. A call that raises cancels the
        others, whose finished values stay in the journal.
        """
        return self.journal.once_all(calls)

    async def wait_for(self, key: str, *, question: object = None, type: Any = Any) -> Any:
        """The answer to a question, of the given type; if there is none yet, the run goes to sleep until there is.

        The step runs again from its beginning when the run is resumed after `store.answer(run_id, key, value)`; what it
        has done by `once` is not done again.

        Args:
            key: tells the question from others of this step.
            question: what is asked: anything that JSON can hold.
            type: what the answer has to be; by default anything.

        Raises:
            RunWaiting: there is no answer yet. Let it pass: it puts the run to sleep.
            GraphRuntimeError: the run is kept nowhere, so nobody could answer.
            ValidationError: the answer is not of this type (pydantic's); the question is open again.
        """
        digest = sha256(to_json([key, question])).hexdigest()[:32]
        answer = self.journal.answer(key, digest)
        if answer is None:
            self.journal.ask(key, question, digest)
        try:
            return adapter_for(type).validate_json(answer)
        except ValidationError:  # asked anew: the run could never go on with an answer that does not fit
            await self.journal.reopen(key, question, digest)
            raise

    async def sleep(self, seconds: float, *, key: str = "sleep") -> None:
        """Go on after `seconds`, counted from the first time that this step asked, whatever became of its process.

        A sleep shorter than the store's lease just sleeps; so does any sleep of a run that is kept nowhere. For a
        longer one the run is put to sleep, and its process is free: the step runs again from its beginning when the
        run is resumed, and goes on here when the time has come. `RunFilter(due_before=…)` finds the runs to resume.

        Args:
            seconds: how long; below 0 is no time at all.
            key: tells the sleep from others of this step.

        Raises:
            RunWaiting: it is too early. Let it pass: it puts the run to sleep.
            GraphRuntimeError: this step has slept under the key already.
            UserError: `seconds` is no number of seconds.
        """
        wake = await wake_time(self.journal, key, seconds, self.now())
        left = (wake - self.now()).total_seconds()
        if left >= self.lease:
            raise RunWaiting(self.run_id, (), wake)
        await self.clock.sleep(max(0.0, left))

    async def run(
        self, what: RunsBelow[StartT, OutcomeT], start: StartT, *, key: str | None = None, **options: Any
    ) -> OutcomeT:
        """Run a graph from a node, or an agent from a prompt, as a child of this run; its outcome is that of its `run`.

        The child is kept where this run is kept, is told to the same observers, is cancelled with it, and goes on
        with it: a step that runs again finds the children it had. What a child waits for, this run waits for. An
        agent's usage is added to `ctx.state.usage`, where the state has one.

        Args:
            what: a graph or an agent.
            start: what it starts with; the same each time that this step runs.
            key: tells it from other children of this step; needed where several are started side by side.
            options: further keywords of its `run`, such as `state` and `deps`.

        Raises:
            RunWaiting: it waits. Let it pass: it puts this run to sleep.
            RunNotResumable: the child with this key was started with something else.
            GraphRuntimeError: this step has started a child under the key already.
            UserError: an option contradicts that it is a child.
            Exception: what fails the child. It goes on where it stood when this step runs again.
        """
        run_id = f"{self.run_id}/{self.branch}:{self.seq}/{child_key(self.journal, key)}"
        place = Place(
            run_id=run_id,
            parent=self.run_id,
            state=self.state,
            store=self.store,
            clock=self.clock,
            observers=self.outlet.observers,
        )
        return await what.__run_below__(start, place, options)

    def emit(self, event: object, *, keep: bool = True) -> None:
        """Tell whoever observes the run, and whoever follows it, that something happened.

        Followers get it as JSON; what JSON cannot hold stands there by the name of its type. Without `keep`, only
        observers are told, and nothing is stored.
        """
        self.outlet.tell(Emitted(self.run_id, self.seq, event))
        if keep:
            self.live.emitted(self.seq, self.attempt, event)

    def interruptible(self) -> AbstractContextManager[None]:
        """A block that the run's deadline and signals of its store cut off; a step that the engine takes is one.

        For work that is done for a node outside of its turn, such as a stream of it.

        Raises:
            RunCancelled: somebody has asked for that.
            RunFenced: another process has taken the run over.
            StoreError: the run's lease could not be renewed in time.
            DeadlineExceeded: the deadline is over.
        """
        return self.interruption.covering(self.seq)

    def now(self) -> datetime:
        """The time, aware and in UTC."""
        return self.clock.now()
