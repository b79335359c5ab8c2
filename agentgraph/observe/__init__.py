"""Observers of runs: spans, metrics and log records are made of events, and nothing comes back.

An agent is observed by `Agent(instrument=…)` or `Agent.instrument_all(…)`, with what is named here. OpenTelemetry, the
extra `otel`, is imported when the first `InstrumentationSettings` are made.
"""

from __future__ import annotations

from .dispatching import DispatchMetrics
from .instrumented import InstrumentedModel
from .instruments import Instrument
from .logs import LoggingObserver
from .settings import InstrumentationSettings

__all__ = ["DispatchMetrics", "Instrument", "InstrumentationSettings", "InstrumentedModel", "LoggingObserver"]
