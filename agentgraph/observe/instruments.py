"""What an agent's `instrument` may be; importing this makes it known to agents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from agentgraph.agent.observers import Observed, observers_of
from agentgraph.graph import Observer

from .logs import LoggingObserver
from .settings import InstrumentationSettings, default_settings

__all__ = ["Instrument"]

Instrument: TypeAlias = bool | InstrumentationSettings | LoggingObserver | Sequence["Instrument"]
"""True: as `InstrumentationSettings()`. Several: all of them. Other kinds: `observers_of.register`."""


@observers_of.register(bool)
def _as_usual(instrument: bool, observed: Observed) -> Sequence[Observer]:  # noqa: FBT001 - the API is given
    return _traced(default_settings(), observed) if instrument else ()


@observers_of.register(InstrumentationSettings)
def _traced(instrument: InstrumentationSettings, observed: Observed) -> Sequence[Observer]:
    from .tracing import TracingObserver  # it needs OpenTelemetry, which is there once there are settings

    return (TracingObserver(instrument, observed),)


@observers_of.register(LoggingObserver)
def _logged(instrument: LoggingObserver, _: Observed) -> Sequence[Observer]:
    return (instrument,)


@observers_of.register(list)
@observers_of.register(tuple)
def _several(instrument: Sequence[object], observed: Observed) -> Sequence[Observer]:
    return [observer for each in instrument for observer in observers_of(each, observed)]
