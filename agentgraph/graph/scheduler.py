"""Begins runs and resumes them: which store keeps them, which clock they go by, who observes them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Any

from pydantic_core import from_json, to_json
from typing_extensions import TypeVar

from agentgraph.clock import Clock, SystemClock
from agentgraph.concurrency import called_in_loop
from agentgraph.exceptions import RunNotResumable

from .attempts import retries
from .below import Place, check_asked, find_child, once_free
from .blueprint import Blueprint
from .claiming import Ended, RunInfo, claim, create, submit
from .codec import Codec
from .context import GraphRunContext
from .events import Observer, Outlet, RunStarted
from .execution import Execution
from .frontier import Frontier
from .interruption import Interruption
from .journal import Journal
from .lifecycle import Status
from .lineage import lineage
from .live import Live
from .node import BaseNode
from .recorder import Recorder
from .slots import Slots
from .stated import copied
from .store import OPENING, RunRecord, Store
from .strand import Strand

__all__ = ["Scheduler"]

_FREE, _SILENT = nullcontext(), Outlet()

StateT = TypeVar("StateT", default=None)
DepsT = TypeVar("DepsT", default=None)
ResultT = TypeVar("ResultT", default=None)


@dataclass(frozen=True)
class Scheduler:
    """How runs are executed. One that has a limit is made once, and given to all runs that share it.

    Raises:
        UserError: `limit` lets nothing run.
    """

    store: Store | None = None
    """Where runs are kept; None: nowhere."""
    clock: Clock = field(default_factory=SystemClock)
    observers: Sequence[Observer] = ()
    _: KW_ONLY
    limit: int | None = None
    """How many runs are executed at once, in all event loops of the process; further ones wait, the first come first
    served. What a run starts below it uses its place; one that goes to sleep frees it. None: as many as come."""
    slots: Slots | None = field(default=None, repr=False)
    """The places of `limit`."""

    def __post_init__(self) -> None:
        if self.limit is not None and self.slots is None:
            object.__setattr__(self, "slots", Slots(self.limit))  # a copy with other observers shares them

    def slot(self) -> AbstractAsyncContextManager[None]:
        """Wait until one more run may be executed; it may be inside the block."""
        return _FREE if self.slots is None else self.slots.taken()

    async def begin(
        self,
        graph: Blueprint[StateT, DepsT, ResultT],
        node: BaseNode[StateT, DepsT, ResultT],
        ctx: tuple[StateT, DepsT],
        info: RunInfo,
    ) -> Execution[StateT, DepsT, ResultT]:
        """Create a run, committed with its first node before anything runs; `ctx` is its state and deps.

        Raises:
            GraphRuntimeError: the node is not in the graph.
            RunExists, StoreError: see `Store.create`.
        """
        state, deps = ctx
        graph.check_start(node)
        recorder = None
        if self.store is not None:
            graph.check_state(state)
            opening = (graph.name or "graph", node, state)
            recorder = await create(self.store, graph.codec, info, opening, graph.usage_of)
        root = self._root(graph, (state, deps), recorder, Frontier(0, node), (info.run_id, info.deadline))
        return await self._opened(Execution(root))

    async def submit(
        self,
        graph: Blueprint[StateT, DepsT, ResultT],
        node: BaseNode[StateT, DepsT, ResultT],
        state: StateT,
        info: RunInfo,
    ) -> RunRecord:
        """Create a run that nobody executes yet, committed with its first node; `info` says who will.

        Raises:
            GraphRuntimeError: the node is not in the graph.
            UserError: the state is none of the graph's.
            RunExists, StoreError: see `Store.create`.
        """
        assert self.store is not None  # where it is to be found
        graph.check_start(node)
        graph.check_state(state)
        return await submit(self.store, graph.codec, info, (graph.name or "graph", node, state), graph.usage_of)

    async def ended(self, graph: Blueprint[StateT, DepsT, ResultT], record: RunRecord) -> Ended:
        """Read a run that nobody executes, for another one to go on from.

        Raises:
            RunNotFound, RunNotResumable, DecodeError, StoreError: it cannot be read.
        """
        assert self.store is not None
        state, ledger = graph.codec.follow(record.run_id, await lineage(self.store, record), record.state)
        return Ended(record, state, ledger)

    async def resume(
        self,
        graph: Blueprint[StateT, DepsT, ResultT],
        record: RunRecord,
        deps: DepsT,
        options: bytes | None = None,
        deadline: datetime | None = None,
    ) -> Execution[StateT, DepsT, ResultT]:
        """Claim a run, last seen as `record`, and go on where it was last committed; a succeeded one is only read.

        Raises:
            RunNotFound, RunBusy, RunNotResumable, DecodeError, StoreError: it cannot be had.
        """
        run_id = record.run_id
        if self.store is None:
            raise RunNotResumable(run_id, ["there is no store to resume it from; give `store=`"])
        mistaken = graph.other_graph(record.graph)
        if mistaken is not None:
            raise RunNotResumable(run_id, [mistaken])
        recorder, restored, calls = await claim(self.store, graph.codec, record, options, graph.usage_of)
        record = recorder.record
        frontier = Frontier(record.seq, restored.pending)
        root = self._root(graph, (restored.state, deps), recorder, frontier, (run_id, deadline))
        root.status, root.ctx.attempt = record.status, record.attempt
        execution = Execution(root, options=record.options)
        execution.take_up(restored, record.seq, calls)
        root.ctx.attempt += retries(root.ctx.journal)
        return await self._opened(execution)

    async def below(
        self,
        graph: Blueprint[StateT, DepsT, ResultT],
        node: BaseNode[StateT, DepsT, ResultT],
        ctx: tuple[StateT, DepsT],
        place: Place,
    ) -> Execution[StateT, DepsT, ResultT]:
        """Begin a child of another run, or go on with it where an earlier attempt of its parent has begun it.

        Raises:
            RunNotResumable: it was begun with something else.
            GraphRuntimeError, RunBusy, DecodeError, StoreError: as `begin` and `resume`.
        """
        info = RunInfo(run_id=place.run_id, parent=place.parent)
        if self.store is None:
            return await self.begin(graph, node, ctx, info)
        graph.check_start(node)
        graph.check_state(ctx[0])
        digest = _digest(graph.codec, node, ctx[0])
        return await once_free(partial(self._begin_or_resume, graph, node, ctx, (info, digest)))

    async def _begin_or_resume(
        self,
        graph: Blueprint[StateT, DepsT, ResultT],
        node: BaseNode[StateT, DepsT, ResultT],
        ctx: tuple[StateT, DepsT],
        child: tuple[RunInfo, str],
    ) -> Execution[StateT, DepsT, ResultT]:
        assert self.store is not None  # else nothing is found again
        info, asked = child
        record = await find_child(self.store, info.run_id)
        if record is None:
            return await self.begin(graph, node, ctx, replace(info, options=to_json({"asked": asked})))
        record.check_readable()
        check_asked(info.run_id, from_json(record.options).get("asked"), asked)
        return await self.resume(graph, record, ctx[1])

    async def _opened(self, execution: Execution[StateT, DepsT, ResultT]) -> Execution[StateT, DepsT, ResultT]:
        if execution.status is not Status.RUNNING:  # it has succeeded, and is only read
            return execution
        try:
            execution.ctx.outlet.tell(RunStarted(execution.ctx.run_id, execution.ctx.seq))
        except BaseException as error:
            await execution.end(error)
            raise
        return execution

    def _root(
        self,
        graph: Blueprint[StateT, DepsT, ResultT],
        ctx: tuple[StateT, DepsT],
        recorder: Recorder | None,
        frontier: Frontier,
        known: tuple[str, datetime | None],
    ) -> Strand[StateT, DepsT, ResultT]:
        run_id, deadline = known
        stop = Interruption(run_id, self.clock, deadline, owned=recorder is not None)
        if recorder is not None and self.store is not None and recorder.held:
            recorder.lapsed = self.store.watch(run_id, recorder.record.epoch, called_in_loop(stop.ring))
        context = GraphRunContext(
            state=ctx[0],
            deps=ctx[1],
            run_id=run_id,
            store=self.store,
            journal=Journal(recorder, run_id),
            lease=math.inf if recorder is None else recorder.lease,
            clock=self.clock,
            live=Live(recorder),
            outlet=Outlet(self.observers) if self.observers else _SILENT,
            interruption=stop,
        )
        return Strand(graph, context, frontier, recorder)


def _digest(codec: Codec, node: BaseNode[Any, Any, Any], state: object) -> str:
    """Tells a run that begins with this node and state from others."""
    begun = codec.ledger().encode(OPENING, copied(state, codec.state.lists), None, node)
    return sha256(b"\0".join((begun.outcome.encode(), begun.body, begun.state))).hexdigest()[:32]
