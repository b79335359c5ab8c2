"""The agent: configuration that does not change while it runs, and the four doors through which it is run."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from os import PathLike
from types import NoneType
from typing import TYPE_CHECKING, Any, Generic, cast, overload

from typing_extensions import TypeIs, TypeVar, Unpack

from agentgraph.exceptions import UserError
from agentgraph.graph import Place, Problem, RunRecord, Store, Submission
from agentgraph.messages import UserContent
from agentgraph.model import Model
from agentgraph.models import KnownModelName, infer_model
from agentgraph.naming import variable_name
from agentgraph.portal import run_sync
from agentgraph.result import ResultSchema, ResultType, data_type
from agentgraph.stores import open_store
from agentgraph.tools import Tool

from .block import Block
from .config import EndStrategy
from .controls import StoredRuns
from .functions import AgentFunctions, check_names
from .guards import NodeGuards
from .observers import Observable
from .opening import OpenRun
from .options import RUN_DEFAULTS, RunOptions, StoreLike
from .override import Override, Overrides
from .result import AgentRunResult
from .run import AgentRun
from .settings import AGENT_DEFAULTS, AgentOptions, AgentSettings
from .setup import Ask, RunSetup, agent_graph
from .signature import spelled_out
from .streamed import StreamedRunResult
from .toolbox import Toolbox
from .used import count_up

if TYPE_CHECKING:
    from agentgraph.graph import Picture

__all__ = ["Agent"]

T = TypeVar("T")
DepsT = TypeVar("DepsT", default=None)
ResultT = TypeVar("ResultT", default=str)

Prompt = str | Sequence[UserContent]


class Agent(AgentFunctions[DepsT, ResultT], StoredRuns, NodeGuards, Observable, Generic[DepsT, ResultT]):
    """A model with a task: its prompts, its tools, the type of its result. It is made once and run any number of times.

    Args:
        model: the model, by name or as an object; None: each run has to give one.
        result_type: what a run ends with, in a `NativeResult` or `PromptedResult` if it is to be asked for as JSON;
            `str` by default.
        deps_type: the type of `deps`, for type checkers alone.
        options: see `AgentOptions`.

    Raises:
        UserError: the model's name is unknown or its key missing; a tool's name is taken.
        TypeError: there is no such option.
    """

    @spelled_out(AgentOptions, AGENT_DEFAULTS)
    def __init__(
        self,
        model: Model | KnownModelName | str | None = None,
        *,
        result_type: ResultType[ResultT] | None = None,
        deps_type: type[DepsT] | None = None,
        **options: Unpack[AgentOptions[DepsT]],
    ) -> None:
        settings = AgentSettings(**options)
        self.model = infer_model(model) if isinstance(model, str) and not settings.defer_model_check else model
        self.name = settings.name
        self.end_strategy: EndStrategy = settings.end_strategy
        self.model_settings = settings.model_settings
        # cast: what is left out is ResultT's default
        asked = cast("ResultType[ResultT]", str if result_type is None else result_type)
        self.result_type = data_type(asked)
        self.deps_type = NoneType if deps_type is None else deps_type
        self.instrument = settings.instrument
        self._settings = settings
        toolbox = Toolbox(settings.retries, settings.tool_timeout)
        super().__init__(settings.system_prompt, self._schema(asked), toolbox)
        for tool in settings.tools:
            self._add_tool(tool if _is_tool(tool) else Tool(tool))
        self._override = Override[DepsT]()
        self._own_store: Store | None = None
        self._setups: dict[Hashable, tuple[RunSetup[Any], Any]] = {}

    @overload
    async def run(
        self, user_prompt: Prompt | None = None, *, result_type: None = None, **options: Unpack[RunOptions[DepsT]]
    ) -> AgentRunResult[ResultT]: ...
    @overload
    async def run(
        self, user_prompt: Prompt | None = None, *, result_type: ResultType[T], **options: Unpack[RunOptions[DepsT]]
    ) -> AgentRunResult[T]: ...
    @spelled_out(RunOptions, RUN_DEFAULTS)
    async def run(
        self, user_prompt: Prompt | None = None, *, result_type: Any = None, **options: Unpack[RunOptions[DepsT]]
    ) -> Any:
        """Run to the end. Options: see `RunOptions`.

        Raises:
            UserError: the options do not go together.
            AgentRunError: the run failed, or could not be had; the classes say how.
            Exception: what a tool, a prompt function or a validator raises.
        """
        async with self.iter(user_prompt, result_type=result_type, **options) as run:
            return await run.finish()

    @overload
    def run_sync(
        self, user_prompt: Prompt | None = None, *, result_type: None = None, **options: Unpack[RunOptions[DepsT]]
    ) -> AgentRunResult[ResultT]: ...
    @overload
    def run_sync(
        self, user_prompt: Prompt | None = None, *, result_type: ResultType[T], **options: Unpack[RunOptions[DepsT]]
    ) -> AgentRunResult[T]: ...
    @spelled_out(RunOptions, RUN_DEFAULTS)
    def run_sync(
        self, user_prompt: Prompt | None = None, *, result_type: Any = None, **options: Unpack[RunOptions[DepsT]]
    ) -> Any:
        """`run` for sync code: in a script, in any thread, also inside a running event loop."""
        self._infer_name(options)
        return run_sync(lambda: self.run(user_prompt, result_type=result_type, **options))

    @overload
    def run_stream(
        self, user_prompt: Prompt | None = None, *, result_type: None = None, **options: Unpack[RunOptions[DepsT]]
    ) -> AbstractAsyncContextManager[StreamedRunResult[DepsT, ResultT]]: ...
    @overload
    def run_stream(
        self, user_prompt: Prompt | None = None, *, result_type: ResultType[T], **options: Unpack[RunOptions[DepsT]]
    ) -> AbstractAsyncContextManager[StreamedRunResult[DepsT, T]]: ...
    @spelled_out(RunOptions, RUN_DEFAULTS)
    @asynccontextmanager
    async def run_stream(
        self, user_prompt: Prompt | None = None, *, result_type: Any = None, **options: Unpack[RunOptions[DepsT]]
    ) -> AsyncGenerator[Any]:
        """Run, and read the replies while they come. Options: see `RunOptions`.

        The block is entered when there is something to read. Leaving it finishes the run; an error in it cancels it.

        Raises:
            UserError, AgentRunError, Exception: as `run`.
        """
        asked = self.iter(user_prompt, result_type=result_type, **options)
        with Block() as block:
            async with asked as run, StreamedRunResult(run, block) as response:
                yield response
        block.check()

    @overload
    def iter(
        self, user_prompt: Prompt | None = None, *, result_type: None = None, **options: Unpack[RunOptions[DepsT]]
    ) -> AbstractAsyncContextManager[AgentRun[DepsT, ResultT]]: ...
    @overload
    def iter(
        self, user_prompt: Prompt | None = None, *, result_type: ResultType[T], **options: Unpack[RunOptions[DepsT]]
    ) -> AbstractAsyncContextManager[AgentRun[DepsT, T]]: ...
    @spelled_out(RunOptions, RUN_DEFAULTS)
    def iter(
        self, user_prompt: Prompt | None = None, *, result_type: Any = None, **options: Unpack[RunOptions[DepsT]]
    ) -> AbstractAsyncContextManager[Any]:
        """Step through a run, node by node. Options: see `RunOptions`.

        Leaving the block early keeps the run as it is, to be resumed; an error in it cancels the run.

        Raises:
            UserError, AgentRunError: as `run`.
        """
        self._infer_name(options)
        ask = Ask(user_prompt, result_type, self._override.over(options), options)
        scheduler = options.get("scheduler")
        return OpenRun(self._setup(result_type), ask, None if scheduler is None else scheduler.slot())

    async def __run_below__(
        self, start: Prompt, place: Place, options: Mapping[str, Any], /
    ) -> AgentRunResult[ResultT]:
        """Run as a child of a graph's run: see `GraphRunContext.run`. Options: see `RunOptions`."""
        # cast: what is no option of a run is refused when it is opened
        given = cast("RunOptions[DepsT]", dict(options))
        self._infer_name(given)
        ask = Ask(start, None, self._override.over(given), given, place)
        async with OpenRun(self._setup(None), ask) as run:
            try:
                return await run.finish()
            finally:
                if given.get("usage") is None:
                    count_up(place.state, run.usage())

    async def __submit__(self, start: Prompt, to: Submission, options: Mapping[str, Any], /) -> RunRecord:
        """Create a run for others to execute: see `Submittable`. Options: see `RunOptions`, those that are stored."""
        # cast: what is no option of a run is refused when it is created
        given = cast("RunOptions[DepsT]", dict(options))
        self._infer_name({})
        return await self._setup(None).submit(Ask(start, None, given, given), to)

    async def can_resume(
        self,
        run_id: str,
        *,
        deps: DepsT | None = None,
        model: Model | KnownModelName | str | None = None,
        result_type: Any = None,
        store: StoreLike | None = None,
    ) -> list[Problem]:
        """What would keep a run from being resumed by this code; empty if nothing would.

        The run is only read, so this is for trying a new version of the code on the runs in flight. That a run is
        executed by another process, or waits for an answer, is no problem of the code. `deps`, `model`, `result_type`
        and `store` are what would be given with `resume`.

        Raises:
            RunNotFound: there is no such run.
            StoreError: the store cannot be read.
        """
        given: RunOptions[Any] = {"deps": deps, "model": model, "store": store}
        ask = Ask(None, result_type, self._override.over(given), given)
        return await self._setup(result_type).problems(run_id, ask)

    def override(self, **overrides: Unpack[Overrides[DepsT]]) -> AbstractContextManager[None]:
        """Replace deps, model or store of all runs inside the block, whatever they are given: for tests."""
        return self._override.set(overrides)

    def picture(self) -> Picture:
        """The agent's graph, with its model, its tools and the type of its result; in a notebook it shows itself."""
        from .pictures import agent_picture

        model = self.model if isinstance(self.model, str) or self.model is None else self.model.model_name
        return agent_picture(self.name, model, self._toolbox.tools, self.result_type)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self.picture().mime_bundle()

    def _setup(self, result_type: Any) -> RunSetup[Any]:
        if result_type is not None and self._validators:
            raise UserError("a run of its own result type cannot use the agent's result validators: make another agent")
        # Made once for each result type, with its schema and its graph.
        key = _key(result_type)
        if key not in self._setups:
            self._setups[key] = self._new_setup(result_type), result_type
        setup = self._setups[key][0]
        if result_type is not None:
            check_names(self._toolbox.tools, setup.result)
        return setup

    def _new_setup(self, result_type: Any) -> RunSetup[Any]:
        result = self._result if result_type is None else self._schema(result_type)
        settings = self._settings
        return RunSetup(
            owner=self,
            store=self._store,
            graph=agent_graph(result.result_type),
            result=result,
            prompts=self._prompts,
            toolbox=self._toolbox,
            validators=self._validators,
            result_retries=settings.retries if settings.result_retries is None else settings.result_retries,
        )

    def _schema(self, result_type: ResultType[T]) -> ResultSchema[T]:
        return ResultSchema.build(result_type, self._settings.result_tool_name, self._settings.result_tool_description)

    def _store(self) -> Store:
        overridden = self._override.over({}).get("store")
        if overridden is not None:
            return open_store(overridden)
        where = self._settings.store
        if self._own_store is None or (isinstance(where, str | PathLike) and getattr(self._own_store, "closed", False)):
            self._own_store = open_store(":memory:" if where is None else where)
        return self._own_store

    def _infer_name(self, options: RunOptions[DepsT]) -> None:
        if self.name is None and options.get("infer_name", True):
            self.name = variable_name(self, inspect.currentframe())


def _is_tool(tool: Tool[Any] | Callable[..., Any]) -> TypeIs[Tool[Any]]:
    return isinstance(tool, Tool)


def _key(kind: Any) -> Hashable:
    try:
        hash(kind)
    except (
        TypeError
    ):  # `Annotated` with something that cannot be hashed; it is kept alive beside its schema, and so its id
        return id(kind)
    hashable: Hashable = kind
    return hashable
