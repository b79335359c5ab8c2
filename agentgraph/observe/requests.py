"""The span of one request to a model, its metrics and its log record."""

from __future__ import annotations

from time import perf_counter

from opentelemetry.context import Context
from opentelemetry.trace import SpanKind

from agentgraph.agent import RequestEnded, RequestStarted

from .attributes import model_attributes, reply_attributes, request_attributes
from .content import Content, output_messages, request_content
from .settings import InstrumentationSettings
from .spans import OpenSpan

__all__ = ["RequestSpan"]

DETAILS = "gen_ai.client.inference.operation.details"


class RequestSpan(OpenSpan):
    """The span of a request that is under way."""

    def __init__(self, settings: InstrumentationSettings, request: RequestStarted, parent: Context) -> None:
        self._attributes = model_attributes(request.model, "chat")
        span = settings.tracer.start_span(
            f"chat {request.model.model_name}", parent, SpanKind.CLIENT, self._attributes | request_attributes(request)
        )
        super().__init__(settings, span, parent)
        self._began = perf_counter()
        # Read at once: the run goes on to write to the list of messages.
        self._content: Content = request_content(request) if self._wants_content() else {}
        self._show(self._content)

    def close(self, ended: RequestEnded) -> None:
        """End the span with what came of the request."""
        told = reply_attributes(ended.reply, ended.usage)
        self._attributes.update(told)
        self.tell(told)
        if ended.error is not None and (kind := self.fail(ended.error)):
            self._attributes["error.type"] = kind
        if ended.reply is not None and self._wants_content():
            self._content["gen_ai.output.messages"] = output_messages(ended.reply)
            self._show({"gen_ai.output.messages": self._content["gen_ai.output.messages"]})
        if self.settings.event_mode == "logs":
            self._log()
        self.settings.metrics.record(self._attributes, perf_counter() - self._began, ended.usage)
        self.end()

    def _wants_content(self) -> bool:
        return self.settings.include_content and (self.settings.event_mode == "logs" or self.span.is_recording())

    def _show(self, content: Content) -> None:
        if self.settings.event_mode == "attributes":
            self.show(content)

    def _log(self) -> None:
        self.settings.event_logger.emit(
            context=self.context, event_name=DETAILS, attributes={**self._attributes, **self._content}
        )
