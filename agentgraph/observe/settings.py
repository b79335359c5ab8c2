"""How runs are traced: where spans, metrics and events go, and what they may say."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Literal, TypeAlias

from agentgraph import __version__
from agentgraph.exceptions import UserError

if TYPE_CHECKING:
    from opentelemetry._logs import Logger, LoggerProvider
    from opentelemetry.metrics import Meter, MeterProvider
    from opentelemetry.trace import Tracer, TracerProvider

    from .metrics import RequestMetrics

__all__ = ["EventMode", "InstrumentationSettings", "default_settings"]

EventMode: TypeAlias = Literal["attributes", "logs"]
"""Where the messages of a request go: into its span's attributes, or into a log record beside the span."""

SCOPE = "agentgraph"


class InstrumentationSettings:
    """Traces by OpenTelemetry, after its conventions for generative AI: `Agent(instrument=InstrumentationSettings())`.

    Args:
        event_mode: where the messages of a request go: `'attributes'` of its span, or `'logs'`, one record a request.
        tracer_provider: where spans go; the process's own by default.
        event_logger_provider: where log records go; the process's own by default.
        meter_provider: where metrics go; the process's own by default.
        include_content: whether messages, arguments, results and the texts of errors are told; names, counts and types
            always are. Images, sounds and documents given as bytes never are, nor headers and fields that a caller
            adds to a request.

    Raises:
        UserError: OpenTelemetry is not installed.
    """

    tracer: Tracer
    event_logger: Logger
    meter: Meter
    metrics: RequestMetrics
    event_mode: EventMode
    include_content: bool

    def __init__(
        self,
        *,
        event_mode: EventMode = "attributes",
        tracer_provider: TracerProvider | None = None,
        event_logger_provider: LoggerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        include_content: bool = True,
    ) -> None:
        try:
            from opentelemetry._logs import get_logger
            from opentelemetry.metrics import get_meter
            from opentelemetry.trace import get_tracer
        except ImportError:
            raise UserError("tracing needs opentelemetry-api: install 'agentgraph[otel]'") from None
        from .metrics import RequestMetrics

        self.tracer = get_tracer(SCOPE, __version__, tracer_provider)
        self.event_logger = get_logger(SCOPE, __version__, event_logger_provider)
        self.meter = get_meter(SCOPE, __version__, meter_provider)
        self.metrics = RequestMetrics(self.meter)
        self.event_mode = event_mode
        self.include_content = include_content

    def __repr__(self) -> str:
        return f"{type(self).__name__}(event_mode={self.event_mode!r}, include_content={self.include_content})"


@cache
def default_settings() -> InstrumentationSettings:
    """What `instrument=True` stands for: the process's own providers, also where those are set later."""
    return InstrumentationSettings()
