"""From the options of a door to a run that is ready to be stepped: everything is settled, and refused, here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, Generic, Protocol

from typing_extensions import TypeVar

from agentgraph.clock import new_run_id
from agentgraph.exceptions import DecodeError, RunNotResumable, UserError
from agentgraph.graph import (
    Ended,
    Execution,
    Graph,
    Place,
    Problem,
    RunFilter,
    RunInfo,
    RunRecord,
    Scheduler,
    Status,
    Store,
    Submission,
    absolute_deadline,
    once_free,
)
from agentgraph.messages import ModelMessage, UserContent
from agentgraph.model import Model
from agentgraph.models import infer_model
from agentgraph.result import ResultSchema, ResultValidator
from agentgraph.settings import ModelSettings, merge_model_settings
from agentgraph.stores import open_store
from agentgraph.usage import Usage, UsageLimits

from .absent import AbsentModel
from .answers import hand_in
from .children import as_child, as_step, asked, earlier_child
from .config import EndStrategy, RunConfig
from .nodes import HandleResponseNode, ModelRequestNode, UserPromptNode
from .observers import observers_for
from .options import RunOptions
from .prompts import SystemPrompts
from .state import AgentState, FinalResult, counters
from .stored import StoredOptions, check_storable, missing, resumed
from .toolbox import Toolbox

__all__ = ["Ask", "RunSetup", "agent_graph"]

ResultT = TypeVar("ResultT", default=str)
Prompt = str | Sequence[UserContent]

GRAPH_NAME = "agent"

_NO_MODEL = "there is no model: give the agent or the run `model=`, for example 'openai:gpt-4o'"

_OPTIONS = frozenset(RunOptions.__annotations__)
_PLAIN = Scheduler()
"""How a run is executed that is given no scheduler."""


def agent_graph(result_type: Any = str) -> Graph[AgentState, RunConfig[Any], Any]:  # any annotation pydantic knows
    """The graph of all agents whose runs end with this type; its shape is always the same, and checked by a test."""
    try:
        return _made_once(result_type)
    except TypeError:  # an annotation that cannot be hashed
        return _made(result_type)


@lru_cache(maxsize=128)
def _made_once(result_type: Any) -> Graph[AgentState, RunConfig[Any], Any]:
    return _made(result_type)  # it takes as long as some runs, and an agent may be made for a single one


def _made(result_type: Any) -> Graph[AgentState, RunConfig[Any], Any]:
    return Graph(
        nodes=(UserPromptNode, ModelRequestNode, HandleResponseNode),
        name=GRAPH_NAME,
        state_type=AgentState,
        run_end_type=FinalResult[result_type],
        usage_of=counters,
        check=False,
    )


@dataclass(slots=True)
class Ask:
    """What a door was called with. As `RunConfig`, never changed."""

    prompt: Prompt | None
    result_type: Any  # a type, or None for the agent's
    options: RunOptions[Any]
    given: RunOptions[Any]
    """The options without what `Agent.override` put over them: what is stored of the run."""
    place: Place | None = None
    """Where the run belongs, if a node of a graph starts it."""

    @property
    def parent(self) -> str | None:
        """The id of the run above, if there is one."""
        if self.place is not None:
            return self.place.parent if self.place.store is not None else None
        parent = self.options.get("parent")
        return None if parent is None else parent.run_id

    def timed(self) -> Ask:
        """The same, its deadline being a point of time.

        Raises:
            UserError: it has no time zone, or is no number of seconds from now.
        """
        deadline = self.options.get("deadline")
        if deadline is None:
            return self
        return replace(
            self,
            options={**self.options, "deadline": absolute_deadline(deadline, _given_scheduler(self.options).clock)},
        )

    def check(self) -> None:
        """Refuse what does not go together.

        Raises:
            TypeError: there is no such option.
            UserError: the options contradict each other.
        """
        if not self.options.keys() <= _OPTIONS:
            unknown = sorted(self.options.keys() - _OPTIONS)
            raise TypeError(f"a run has no option {', '.join(unknown)}; it has {', '.join(RunOptions.__annotations__)}")
        if self.given.get("store") is not None and _given_scheduler(self.options).store is not None:
            raise UserError("a scheduler has a store of its own: leave `store` or `scheduler` out")
        if self.options.get("parent") is not None and self.options.get("break_before"):
            raise UserError("`break_before=` cannot stop a run inside of a step of its `parent`: leave it out")
        self._check_start(self.options.get("resume"))

    def _check_start(self, resume: str | None) -> None:
        if resume is None:
            if self.prompt is None:
                raise UserError("a run needs a prompt, or `resume=` with the id of a run to go on with")
            if self.options.get("answers"):
                raise UserError("`answers=` goes with `resume=`: a new run has asked nothing yet")
            return
        spare = [name for name in ("run_id", "message_history", "conversation") if self.options.get(name)]
        if self.prompt is not None:
            spare.insert(0, "user_prompt")
        if spare:
            raise UserError(f"run {resume!r} is resumed and has its own {' and '.join(spare)}: leave it out")


class Owner(Protocol):
    """The agent, as far as it may change from run to run."""

    name: str | None
    end_strategy: EndStrategy
    model_settings: ModelSettings | None
    instrument: object

    @property
    def model(self) -> Model | str | None:
        """The model of runs that are given none."""
        ...


@dataclass(frozen=True)
class RunSetup(Generic[ResultT]):
    """What an agent brings to each of its runs; made once for each type that they end with."""

    owner: Owner
    store: Callable[[], Store]
    """Where runs are kept that are given no store."""
    graph: Graph[AgentState, RunConfig[Any], FinalResult[ResultT]]
    result: ResultSchema[ResultT]
    prompts: SystemPrompts
    toolbox: Toolbox
    validators: Sequence[ResultValidator[Any, Any]]
    result_retries: int

    async def open(self, ask: Ask) -> Execution[AgentState, RunConfig[Any], FinalResult[ResultT]]:
        """Create the run, or claim the one to go on with.

        Raises:
            UserError: see `Ask.check`, or there is no model.
            RunExists, RunNotFound, RunBusy, RunNotResumable, DecodeError, StoreError: about the stored run.
        """
        ask.check()
        breakpoints = ask.options.get("break_before")
        if breakpoints:
            self.graph.check_breakpoints(breakpoints, stored=True)
        execution = await self._opened(ask.timed())
        if breakpoints:
            execution.ctx.interruption.break_before = breakpoints
        return execution

    async def _opened(self, ask: Ask) -> Execution[AgentState, RunConfig[Any], FinalResult[ResultT]]:
        if ask.place is not None:
            return await self._open_step(ask, ask.place)
        if ask.options.get("parent") is not None:
            return await self._open_child(ask)
        store = self._kept(ask.options)
        resume = ask.options.get("resume")
        if resume is not None:
            return await self._resume(store, await store.load(resume), ask)
        return await self._begin(store, ask)

    async def problems(self, run_id: str, ask: Ask) -> list[Problem]:
        """What keeps a run from being resumed with these options.

        Raises:
            RunNotFound, StoreError: it cannot be read.
        """
        store = self._kept(ask.options)
        record = await store.load(run_id)
        if record.graph != GRAPH_NAME:
            return [Problem(_of_another_graph(record))]
        ended = record.status is Status.SUCCEEDED
        found = self._misgiven(record, ask, ended=ended)
        if ended and any(problem.field == "result_type" for problem in found):
            return found  # the result is of another type than the agent's
        return found + await self.graph.can_resume(run_id, store=store)

    def _misgiven(self, record: RunRecord, ask: Ask, *, ended: bool) -> list[Problem]:
        try:
            stored = StoredOptions.load(record)
        except DecodeError as error:
            return [Problem(error.reason, error.field, error.step)]
        found = missing(stored, ask.options, ask.result_type, ended=ended)
        if not found:
            options = resumed(record.run_id, stored, ask.options, ask.result_type, ended=ended)
            try:
                self._config(options, ended=ended)
            except UserError as error:  # no model, or none that can be used here
                found.append(Problem(error.message, "model"))
        return found

    async def _begin(self, store: Store, ask: Ask) -> Execution[AgentState, RunConfig[Any], FinalResult[ResultT]]:
        config = self._config(ask.options)
        node, state, info = await self._beginning(store, ask)
        execution = await self._scheduler(store, config, ask).begin(self.graph, node, (state, config), info)
        execution.adopt = _share
        return execution

    async def submit(self, ask: Ask, to: Submission) -> RunRecord:
        """Create the run, and leave it to who claims it.

        Raises:
            UserError: an option is none of a new run's, or cannot be stored; there is no model.
            RunExists, RunBusy, RunNotResumable, StoreError: about the stored run.
        """
        check_storable(ask.options)
        ask.check()
        if not (ask.options.get("model") or self.owner.model):
            raise UserError(_NO_MODEL)
        node, state, info = await self._beginning(to.store, ask.timed())
        info = replace(info, named=True, dispatch=to.dispatch)
        return await Scheduler(to.store).submit(self.graph, node, state, info)

    async def _beginning(self, store: Store, ask: Ask) -> tuple[UserPromptNode[Any, ResultT], AgentState, RunInfo]:
        """What a new run begins with."""
        options = ask.options
        assert ask.prompt is not None
        history = list(options.get("message_history") or ())
        run_id, conversation = options.get("run_id"), options.get("conversation")
        after = None if conversation is None else await self._turn_before(store, conversation, history)
        if after is not None:
            history = after.state.message_history
        state = AgentState(message_history=history, usage=options.get("usage") or Usage())
        parent = ask.parent
        digest = None if parent is None else asked(ask.prompt)
        stored = StoredOptions.of(_as_given(options, ask.given), ask.result_type, self.owner.end_strategy, digest)
        info = RunInfo(
            run_id=run_id or new_run_id(),
            named=run_id is not None and parent is None,
            agent=self.owner.name,
            parent=parent,
            conversation=conversation,
            after=after,
            deadline=stored.deadline,
            options=stored.dump(),
        )
        return UserPromptNode(ask.prompt), state, info

    async def _open_child(self, ask: Ask) -> Execution[AgentState, RunConfig[Any], FinalResult[ResultT]]:
        scope, run_id, options = as_child(ask.options, ask.given)
        child = replace(ask, options={**options, "run_id": run_id})
        return await once_free(partial(self._begin_or_resume, scope.store, run_id, child))

    async def _open_step(self, ask: Ask, place: Place) -> Execution[AgentState, RunConfig[Any], FinalResult[ResultT]]:
        step = replace(ask, options=as_step(place, ask.options, ask.given))
        if place.store is None:  # neither run is found again
            from agentgraph.stores import MemoryStore

            return await self._begin(MemoryStore(keep=0), step)
        return await once_free(partial(self._begin_or_resume, place.store, place.run_id, step))

    async def _begin_or_resume(
        self, store: Store, run_id: str, child: Ask
    ) -> Execution[AgentState, RunConfig[Any], FinalResult[ResultT]]:
        record = await earlier_child(store, run_id, child.prompt)
        return await (self._begin(store, child) if record is None else self._resume(store, record, child))

    async def _turn_before(self, store: Store, conversation: str, history: Sequence[ModelMessage]) -> Ended | None:
        runs = await store.list(RunFilter(conversation=conversation, limit=1))
        if not runs:
            return None
        if history:
            raise UserError(f"conversation {conversation!r} has its own history: leave `message_history=` out")
        return await Scheduler(store).ended(self.graph, runs[0])

    async def _resume(
        self, store: Store, record: RunRecord, ask: Ask
    ) -> Execution[AgentState, RunConfig[Any], FinalResult[ResultT]]:
        if record.graph != GRAPH_NAME:
            raise RunNotResumable(record.run_id, [_of_another_graph(record)])
        stored = StoredOptions.load(record)
        ended = record.status is Status.SUCCEEDED
        options = resumed(record.run_id, stored, ask.options, ask.result_type, ended=ended)
        config = replace(self._config(options, ended=ended), end_strategy=stored.end_strategy)
        answers = ask.options.get("answers")
        if answers:
            await hand_in(store, record, answers, self.toolbox.tools)
        held = stored.renewed(_as_given(options, ask.given), ask.result_type)
        scheduler = self._scheduler(store, config, ask)
        execution = await scheduler.resume(self.graph, record, config, held.dump(), held.deadline)
        usage = options.get("usage")
        if usage is None:
            usage = execution.ctx.state.usage
        _count_in(usage, execution.ctx.state)
        execution.adopt = _share
        return execution

    def _kept(self, options: RunOptions[Any]) -> Store:
        where = options.get("store") or _given_scheduler(options).store
        return self.store() if where is None else open_store(where)

    def _scheduler(self, store: Store, config: RunConfig[Any], ask: Ask) -> Scheduler:
        observers = observers_for(self.owner.instrument, self.owner.name, config.model)
        if ask.place is not None:
            return Scheduler(store, ask.place.clock, (*observers, *ask.place.observers))
        given = ask.options.get("scheduler")
        if given is None:
            return Scheduler(store, _PLAIN.clock, observers)
        return replace(given, store=store, observers=(*observers, *given.observers))

    def _config(self, options: RunOptions[Any], *, ended: bool = False) -> RunConfig[Any]:
        model = options.get("model") or self.owner.model
        if ended and not isinstance(model, Model):
            model = AbsentModel(model)
        if model is None:
            raise UserError(_NO_MODEL)
        model, limits = infer_model(model), options.get("usage_limits") or UsageLimits()
        problem = None if ended or limits.cost_limit is None else model.price_problem()
        if problem is not None:
            raise UserError(f"the run has a `cost_limit`, but {problem}")
        parent = options.get("parent")
        return RunConfig(
            deps=options.get("deps"),
            model=model,
            settings=merge_model_settings(self.owner.model_settings, options.get("model_settings")),
            limits=limits,
            prompts=self.prompts,
            toolbox=self.toolbox,
            result=self.result,
            validators=self.validators,
            result_retries=self.result_retries,
            end_strategy=self.owner.end_strategy,
            scope=None if parent is None else parent.scope,
        )


def _given_scheduler(options: RunOptions[Any]) -> Scheduler:
    return options.get("scheduler") or _PLAIN


def _of_another_graph(record: RunRecord) -> str:
    return f"it is a run of graph {record.graph!r}, not of an agent: resume it with its graph"


def _as_given(options: RunOptions[Any], given: RunOptions[Any]) -> RunOptions[Any]:
    """The options with the run's own model and deps, whatever overrides them."""
    if options is given:
        return options
    return {**options, "model": given.get("model"), "deps": given.get("deps")}


def _share(before: AgentState, state: AgentState) -> None:
    """Let a state that was read back count in what the one before it did."""
    _count_in(before.usage, state)


def _count_in(usage: Usage, state: AgentState) -> None:
    """Let the state count in `usage`, which is to show what the run has used."""
    totals, state.usage = state.usage, usage
    usage.requests, usage.details = totals.requests, totals.details
    usage.request_tokens, usage.response_tokens = totals.request_tokens, totals.response_tokens
    usage.total_tokens, usage.priced, usage.cost = totals.total_tokens, totals.priced, totals.cost
