"""Which observers an agent's `instrument` stands for. What it may be, `agentgraph.observe` knows, above this layer.

`observers_of` is the registry: `observers_of.register(kind)` adds a way to observe, and `agentgraph.observe` adds its
own when it is imported, which happens when an agent first needs it.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import singledispatch
from importlib import import_module

from agentgraph.exceptions import UserError
from agentgraph.graph import Observer
from agentgraph.model import Model

__all__ = ["Observable", "Observed", "observed_by", "observers_for", "observers_of"]


@dataclass(frozen=True, slots=True)
class Observed:
    """What is known of a run before it begins, for who will observe it."""

    agent: str | None
    """The agent's name."""
    model: Model


@dataclass
class _Default:
    """What holds for agents that say nothing themselves: the one thing here that changes."""

    instrument: object = None


_default = _Default()

_beside: ContextVar[tuple[Observer, ...]] = ContextVar("_beside", default=())
"""Who observes the runs that begin here, whatever their agents say."""


@contextmanager
def observed_by(observer: Observer) -> Generator[None]:
    """Let `observer` observe all agents' runs that begin inside the block, in its tasks and threads too."""
    token = _beside.set((*_beside.get(), observer))
    try:
        yield
    finally:
        _beside.reset(token)


class Observable:
    """What says how its runs are observed."""

    instrument: object
    """As it was given; None: as `instrument_all` says."""

    @staticmethod
    def instrument_all(instrument: object = True) -> None:  # noqa: FBT002 - the API is given
        """Observe all agents that were made without `instrument`, from their next run on; False or None: no longer."""
        _default.instrument = instrument


def observers_for(instrument: object, agent: str | None, model: Model) -> Sequence[Observer]:
    """The observers of one run of an agent of this name with this `instrument`; None: what `instrument_all` said.

    Those of the blocks around (`observed_by`) come after them.

    Raises:
        UserError: nothing that observes is known by such a value, or it lacks a library.
    """
    chosen = _default.instrument if instrument is None else instrument
    own = () if chosen is None or chosen is False else observers_of(chosen, Observed(agent, model))
    return (*own, *_beside.get())


@singledispatch
def observers_of(instrument: object, observed: Observed) -> Sequence[Observer]:
    """The observers that a value stands for, made for one run."""
    unknown = observers_of.dispatch(object)
    import_module("agentgraph.observe")  # by name: it stands above, and registers what it knows
    known = observers_of.dispatch(type(instrument))
    if known is unknown:
        raise UserError(
            f"`instrument` cannot be a {type(instrument).__name__}: give True, an InstrumentationSettings, a "
            "LoggingObserver or a list of such, all of `agentgraph.observe`"
        )
    return known(instrument, observed)
