"""A graph: its nodes, checked as a whole, and the doors through which it is run."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from os import PathLike
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import TypeVar, Unpack

from agentgraph.clock import new_run_id
from agentgraph.exceptions import DecodeError, RunNotFound, RunNotResumable, UserError
from agentgraph.naming import variable_name
from agentgraph.portal import run_sync

from .below import Place
from .blueprint import Blueprint
from .checks import to_networkx
from .claiming import RunInfo
from .events import Observer
from .execution import Execution
from .interruption import absolute_deadline, dump_deadline, load_deadline
from .lineage import as_it_stood
from .node import BaseNode, End
from .options import GraphRunOptions
from .problems import Problem, problems_in
from .questions import load_awake
from .run import GraphRun, GraphRunResult
from .scheduler import Scheduler
from .store import RunRecord, Store, resolve_store
from .submitting import Submission

if TYPE_CHECKING:
    import networkx

    from .diagram import Diagram, DiagramOptions
    from .editing import Change
    from .picture import Picture

__all__ = ["Graph"]

StateT = TypeVar("StateT", default=None)
DepsT = TypeVar("DepsT", default=None)
ResultT = TypeVar("ResultT", default=None)


class Graph(Blueprint[StateT, DepsT, ResultT]):
    """A typed state machine whose runs can be stepped through, stored and resumed; made as `Blueprint` says."""

    async def run(
        self,
        start_node: BaseNode[StateT, DepsT, ResultT] | None = None,
        **options: Unpack[GraphRunOptions[StateT, DepsT]],
    ) -> GraphRunResult[StateT, ResultT]:
        """Run from `start_node`, or on from where `resume` names, to the end. Options: see `GraphRunOptions`.

        Raises:
            GraphRuntimeError: a node led where it may not.
            UserError: neither a start node nor `resume`, or both.
            RunExists, RunNotFound, RunBusy, RunFenced, RunCancelled, RunNotResumable, StoreError: about the stored run.
            DeadlineExceeded: the deadline is over.
            RunPaused: `break_before` stopped it.
        """
        self._infer_name(options, inspect.currentframe())
        scheduler = _scheduler(options)
        async with scheduler.slot(), GraphRun(await self._open(scheduler, start_node, options)) as run:
            with run.ctx.interruptible():  # one for all steps
                while not isinstance(await run.advance(), End):
                    pass
        assert run.result is not None  # the iteration ends with an End, or raises
        return run.result

    def run_sync(
        self,
        start_node: BaseNode[StateT, DepsT, ResultT] | None = None,
        **options: Unpack[GraphRunOptions[StateT, DepsT]],
    ) -> GraphRunResult[StateT, ResultT]:
        """`run` for sync code, also inside a running event loop."""
        self._infer_name(options, inspect.currentframe())
        options["infer_name"] = False
        return run_sync(lambda: self.run(start_node, **options))

    @asynccontextmanager
    async def iter(
        self,
        start_node: BaseNode[StateT, DepsT, ResultT] | None = None,
        **options: Unpack[GraphRunOptions[StateT, DepsT]],
    ) -> AsyncGenerator[GraphRun[StateT, DepsT, ResultT]]:
        """Step through a run: iterate over its nodes, or hand each to `GraphRun.next`. Options: see `GraphRunOptions`.

        Leaving the block before the end keeps the run as it is: an exception cancels it, otherwise it is released.
        """
        self._infer_name(options, inspect.currentframe())
        scheduler = _scheduler(options)
        async with scheduler.slot(), GraphRun(await self._open(scheduler, start_node, options)) as run:
            yield run

    async def step(
        self,
        run_id: str,
        *,
        store: Store | str | PathLike[str] | None = None,
        scheduler: Scheduler | None = None,
        deps: DepsT | None = None,
        observers: Sequence[Observer] = (),
    ) -> BaseNode[StateT, DepsT, ResultT] | End[ResultT]:
        """Claim a stored run, take one step, release it: for workers that live no longer than that.

        Of the branches of a fork one takes one turn: the one that has taken the fewest, of those that wait for nothing.

        Args:
            run_id: the run.
            store: where it is kept.
            scheduler: how the step is taken, instead of `store`: by which clock, and beside which other runs.
            deps: what its nodes need; None where they need none.
            observers: called with each event of the step.

        Returns:
            What comes next: a node, the `Fork` as long as its branches are not joined, or the End; of a run that has
            succeeded its End, and nothing is done.

        Raises:
            UserError: neither a store nor a scheduler that has one, or both.
            RunWaiting: it waits for answers, or sleeps.
            RunNotFound, RunBusy, RunFenced, RunCancelled, RunNotResumable, StoreError: about the stored run.
            DeadlineExceeded: its deadline is over.
            GraphRuntimeError, Exception: the step has failed, and so has the run; stepping again tries again.
        """
        self._infer_name({}, inspect.currentframe())
        executes = _scheduler({"store": store, "scheduler": scheduler, "observers": observers})
        if executes.store is None:
            raise UserError(f"run {run_id!r} can only be stepped where it is kept: give `store=`")
        given = cast("DepsT", deps)  # what is left out is None, which DepsT is where a graph needs none
        async with executes.slot():
            record = await load_awake(executes.store, run_id, executes.clock.now())
            execution = await executes.resume(self, record, given, deadline=load_deadline(record.options))
            execution.one_turn = True
            async with GraphRun(execution) as run:
                return await run.next()

    async def __run_below__(
        self, start: BaseNode[StateT, DepsT, ResultT], place: Place, options: Mapping[str, Any], /
    ) -> GraphRunResult[StateT, ResultT]:
        """Run as a child of another run: see `GraphRunContext.run`; of the options, `state` and `deps` are taken."""
        unknown = options.keys() - {"state", "deps"}
        if unknown:
            message = f"a graph below another run takes `state` and `deps`, and not {', '.join(sorted(unknown))}"
            raise UserError(message)
        self._infer_name({}, inspect.currentframe())
        scheduler = Scheduler(place.store, place.clock, place.observers)
        # What is left out is None, which is what StateT and DepsT are where a graph needs none.
        state, deps = cast("StateT", options.get("state")), cast("DepsT", options.get("deps"))
        async with GraphRun(await scheduler.below(self, start, (state, deps), place)) as run:
            with run.ctx.interruptible():
                async for _ in run:
                    pass
        assert run.result is not None  # the iteration ends with an End, or raises
        return run.result

    async def __submit__(
        self, start: BaseNode[StateT, DepsT, ResultT], to: Submission, options: Mapping[str, Any], /
    ) -> RunRecord:
        """Create a run for others to execute: see `Submittable`; it takes `state`, `run_id` and `deadline`."""
        unknown = options.keys() - {"state", "run_id", "deadline"}
        if unknown:
            message = f"a submitted graph takes `state`, `run_id` and `deadline`, and not {', '.join(sorted(unknown))}"
            raise UserError(message)
        self._infer_name({}, inspect.currentframe())
        scheduler = Scheduler(to.store)
        deadline = absolute_deadline(options.get("deadline"), scheduler.clock)
        info = RunInfo(
            run_id=options.get("run_id") or new_run_id(),
            named=True,
            deadline=deadline,
            options=dump_deadline(deadline),
            dispatch=to.dispatch,
        )
        # What is left out is None, which is what StateT is where a graph needs none.
        return await scheduler.submit(self, start, cast("StateT", options.get("state")), info)

    async def edit(self, run_id: str, change: Change[StateT], *, store: Store | str | PathLike[str]) -> StateT:
        """Change the state of a stored run that nobody executes, as a step of its own, `(edit)`.

        The node that comes next stays the same, and what happened inside its step is kept: finished calls, questions,
        answers. The run is `pending` then, or still `waiting` if it asks something.

        Args:
            run_id: the run.
            change: changes the state that it is handed, or returns another one. It may be called more than once.
            store: where the run is kept.

        Returns:
            The new state.

        Raises:
            RunNotFound, RunBusy, RunFenced: it is not there, or somebody executes it.
            RunNotResumable: it does not fit this graph, has ended, stands inside a fork, or its step has runs below it.
            DecodeError: what is stored does not fit the code.
            UserError: the new state is of another type.
            StoreError: the new state cannot be stored.
            Exception: what `change` raises. Whatever is raised, nothing was changed.
        """
        self._infer_name({}, inspect.currentframe())
        from .editing import edit

        return await edit(self, Scheduler(resolve_store(store)), run_id, change)

    async def can_resume(self, run_id: str, *, store: Store | str | PathLike[str]) -> list[Problem]:
        """What keeps a stored run from going on with this graph as it is; empty if nothing does.

        The run is only read. That it is executed by another process, or waits for an answer, is no problem of the code.

        Raises:
            RunNotFound: there is no such run.
            StoreError: the store cannot be read.
        """
        self._infer_name({}, inspect.currentframe())
        where = resolve_store(store)
        assert where is not None  # `store` is none of what stands for no store
        record = await where.load(run_id)
        mistaken = self.other_graph(record.graph)
        if mistaken is not None:
            return [Problem(mistaken)]
        try:
            rows, branches = await as_it_stood(where, record, record.seq)
        except RunNotFound as error:
            return [Problem(error.message)]
        except DecodeError as error:
            return problems_in(error)
        return self.codec.problems(run_id, rows, record.state, branches)

    def to_networkx(self) -> networkx.DiGraph[str]:
        """The graph as networkx sees it: node ids, and `End`; edges carry `label`."""
        return to_networkx(self.definitions)

    def picture(self, **options: Unpack[DiagramOptions]) -> Picture:
        """The graph, drawn: as Mermaid text, as SVG, in a notebook. Options: see `DiagramOptions`.

        Raises:
            UserError: an option names a node that is not in the graph; so do all that take these options.
        """
        return self._diagram(options).picture()

    def mermaid_code(self, **options: Unpack[DiagramOptions]) -> str:
        """The graph as the text of a Mermaid state diagram. Options: see `DiagramOptions`."""
        return self._diagram(options).mermaid()

    def mermaid_save(self, path: Path | str, **options: Unpack[DiagramOptions]) -> None:
        """Write `mermaid_code` to a file, whatever its name."""
        Path(path).write_text(self.mermaid_code(**options) + "\n", encoding="utf-8")

    def svg(self, **options: Unpack[DiagramOptions]) -> str:
        """The graph as the text of an SVG file, drawn in this process. Options: see `DiagramOptions`."""
        return self.picture(**options).svg()

    def svg_save(self, path: Path | str, **options: Unpack[DiagramOptions]) -> None:
        """Write `svg` to a file, whatever its name."""
        Path(path).write_text(self.svg(**options), encoding="utf-8")

    def _diagram(self, options: DiagramOptions) -> Diagram:
        from .diagram import Diagram

        return Diagram(self.definitions, options)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        sources = self._diagram({}).sources()
        return self.picture(start_node=sources, title=self.name).mime_bundle()

    async def _open(
        self,
        scheduler: Scheduler,
        start_node: BaseNode[StateT, DepsT, ResultT] | None,
        options: GraphRunOptions[StateT, DepsT],
    ) -> Execution[StateT, DepsT, ResultT]:
        execution = await self._begin_or_resume(scheduler, start_node, options)
        execution.ctx.interruption.break_before = options.get("break_before", ())
        return execution

    async def _begin_or_resume(
        self,
        scheduler: Scheduler,
        start_node: BaseNode[StateT, DepsT, ResultT] | None,
        options: GraphRunOptions[StateT, DepsT],
    ) -> Execution[StateT, DepsT, ResultT]:
        # What is left out is None, which is what StateT and DepsT are where a graph needs none.
        state, deps = cast("StateT", options.get("state")), cast("DepsT", options.get("deps"))
        resume, run_id = options.get("resume"), options.get("run_id")
        if (start_node is None) == (resume is None):
            message = "a run begins with a start node or goes on with `resume=`: give one of the two"
            raise UserError(message)
        if resume is not None and (run_id is not None or state is not None):
            message = f"run {resume!r} goes on with its own id and state: leave `run_id` and `state` out"
            raise UserError(message)
        self.check_breakpoints(options.get("break_before", ()), stored=scheduler.store is not None)
        deadline = absolute_deadline(options.get("deadline"), scheduler.clock)
        if resume is not None:
            if scheduler.store is None:
                raise RunNotResumable(resume, ["there is no store to resume it from; give `store=`"])
            record = await scheduler.store.load(resume)
            options_given = None if deadline is None else dump_deadline(deadline)
            return await scheduler.resume(self, record, deps, options_given, deadline or load_deadline(record.options))
        assert start_node is not None
        info = RunInfo(
            run_id=run_id or new_run_id(),
            named=run_id is not None,
            deadline=deadline,
            options=dump_deadline(deadline),
        )
        return await scheduler.begin(self, start_node, (state, deps), info)

    def _infer_name(self, options: GraphRunOptions[StateT, DepsT], frame: FrameType | None) -> None:
        if self.name is None and options.get("infer_name", True):
            self.name = variable_name(self, frame)


def _scheduler(options: GraphRunOptions[StateT, DepsT]) -> Scheduler:
    given, store, observers = options.get("scheduler"), options.get("store"), options.get("observers", ())
    if given is None:
        return Scheduler(resolve_store(store), observers=observers)
    if store is not None:
        raise UserError("a scheduler has a store of its own: leave `store` or `scheduler` out")
    return replace(given, observers=(*given.observers, *observers))
