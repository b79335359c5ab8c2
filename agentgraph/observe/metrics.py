"""What requests to models took, in time and in tokens."""

from __future__ import annotations

from opentelemetry.metrics import Meter

from agentgraph.usage import Usage

from .attributes import Attributes

__all__ = ["RequestMetrics"]

# As the conventions advise: powers of two from ten milliseconds, powers of four from one token.
SECONDS = [0.01 * 2**power for power in range(14)]
TOKENS = [4**power for power in range(14)]

TOLD = (
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "server.address",
    "server.port",
    "error.type",
)
"""The attributes that have few values."""


class RequestMetrics:
    """Two histograms: how long requests take, and how many tokens they use."""

    def __init__(self, meter: Meter) -> None:
        self._duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            "s",
            "How long a request to a model took.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "How many tokens a request to a model used.",
            explicit_bucket_boundaries_advisory=TOKENS,
        )

    def record(self, attributes: Attributes, seconds: float, usage: Usage | None) -> None:
        """Count one request; `attributes` are those of its span."""
        told = {name: attributes[name] for name in TOLD if name in attributes}
        self._duration.record(seconds, told)
        counts = (("input", usage.request_tokens), ("output", usage.response_tokens)) if usage else ()
        for kind, count in counts:
            if count is not None:
                self._tokens.record(count, {**told, "gen_ai.token.type": kind})
