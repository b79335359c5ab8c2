"""The observer of a dispatcher that counts: how many runs it submits and loses, and how long they wait."""

from __future__ import annotations

from agentgraph.graph import Dispatched, Emitted, HandedOn, Recovered, RunEvent, Submitted

from .settings import InstrumentationSettings, default_settings

__all__ = ["DispatchMetrics"]

SECONDS = [0.01 * 4**power for power in range(10)]
"""Up to half an hour."""


class DispatchMetrics:
    """Counts by OpenTelemetry what becomes of submitted runs: `open_dispatcher(…, observers=[DispatchMetrics()])`.

    The counters `agentgraph.dispatch.submitted`, `agentgraph.dispatch.handed_on` and `agentgraph.dispatch.recovered`,
    and the histogram `agentgraph.dispatch.wait`, in seconds: for how long runs that are begun or gone on with could
    have been executed. Each by queue, never by tenant.

    Args:
        settings: whose meter provider they go to; the process's own by default.

    Raises:
        UserError: OpenTelemetry is not installed.
    """

    def __init__(self, settings: InstrumentationSettings | None = None) -> None:
        meter = (settings or default_settings()).meter
        self._submitted = meter.create_counter("agentgraph.dispatch.submitted", "{run}", "Runs that were submitted.")
        self._handed_on = meter.create_counter(
            "agentgraph.dispatch.handed_on", "{run}", "Runs that a worker gave back because it was to end."
        )
        self._recovered = meter.create_counter(
            "agentgraph.dispatch.recovered", "{run}", "Runs that were given back because their worker was lost."
        )
        self._wait = meter.create_histogram(
            "agentgraph.dispatch.wait",
            "s",
            "How long a run could have been executed before it was.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )

    def __call__(self, event: RunEvent) -> None:
        match event:
            case Emitted(event=Submitted(queue=queue)):
                self._submitted.add(1, {"agentgraph.queue": queue})
            case Emitted(event=Dispatched(queue=queue, waited=float() as waited)):
                self._wait.record(waited, {"agentgraph.queue": queue})
            case Emitted(event=HandedOn(queue=queue)):
                self._handed_on.add(1, {"agentgraph.queue": queue})
            case Emitted(event=Recovered(queue=queue)):
                self._recovered.add(1, {"agentgraph.queue": queue})
            case _:
                pass
