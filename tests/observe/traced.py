"""Tracing into memory, and what it left there in short."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext

from agentgraph import Agent
from agentgraph.observe import InstrumentationSettings
from agentgraph.observe.settings import EventMode

Tree = dict[str, Any]  # Any: trees again


def ids(span: ReadableSpan) -> SpanContext:
    context = span.get_span_context()
    assert context is not None
    return context


class Traced:
    """Providers of one test, and readers of what was exported."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self._records = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]  # the SDK's own
        self._metrics = InMemoryMetricReader()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self.loggers = LoggerProvider(shutdown_on_exit=False)
        self.loggers.add_log_record_processor(SimpleLogRecordProcessor(self._records))
        self.meters = MeterProvider([self._metrics], shutdown_on_exit=False)

    def settings(
        self, *, event_mode: EventMode = "attributes", include_content: bool = True
    ) -> InstrumentationSettings:
        return InstrumentationSettings(
            event_mode=event_mode,
            tracer_provider=self.tracers,
            event_logger_provider=self.loggers,
            meter_provider=self.meters,
            include_content=include_content,
        )

    def agent(self, model: Any, **options: Any) -> Agent[None, Any]:  # Any: whatever an agent takes
        return Agent(model, name="desk", instrument=self.settings(), **options)

    @contextmanager
    def own(self, name: str) -> Generator[None]:
        """A span of the program's own."""
        with self.tracers.get_tracer("program").start_as_current_span(name):
            yield

    @property
    def spans(self) -> list[ReadableSpan]:
        """In the order in which they ended."""
        return list(self._spans.get_finished_spans())

    def span(self, name: str) -> ReadableSpan:
        """The only span of that name."""
        (found,) = (span for span in self.spans if span.name == name)
        return found

    def told(self, name: str) -> dict[str, Any]:  # Any: values of attributes
        """The attributes of the only span of that name."""
        return dict(self.span(name).attributes or {})

    def shown(self, name: str, attribute: str) -> Any:  # Any: JSON
        return json.loads(self.told(name)[attribute])

    def failed(self) -> dict[str, str | None]:
        """The spans whose status is an error, with its description."""
        return {span.name: span.status.description for span in self.spans if not span.status.is_unset}

    def tree(self) -> Tree:
        """Names within names; spans that ran side by side have no order, nor do equal ones a number."""
        return self._below(None)

    def _below(self, parent: int | None) -> Tree:
        children = [span for span in self.spans if (span.parent.span_id if span.parent else None) == parent]
        return {span.name: self._below(ids(span).span_id) for span in children}

    @property
    def records(self) -> list[Any]:  # Any: the exporter's records
        return [each.log_record for each in self._records.get_finished_logs()]

    def points(self) -> dict[str, list[HistogramDataPoint]]:
        """The data points of each histogram."""
        data = self._metrics.get_metrics_data()
        assert data is not None
        return {
            metric.name: [point for point in metric.data.data_points if isinstance(point, HistogramDataPoint)]
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def everything(self) -> str:
        """All that was exported, as text."""
        spans = [span.to_json() for span in self.spans]
        return "\n".join([*spans, *(str(record) for record in self.records), str(self._metrics.get_metrics_data())])
