"""A span, and whether the code that runs now is inside of it.

What is current lives in context variables, so each task has its own, and a block that a caller enters in one task may
be left in another. So there is no token to give back: to leave a span is to go where the entry came from, and only
where the span is the current one.
"""

from __future__ import annotations

import json

from opentelemetry.context import Context, attach, create_key, get_current, get_value, set_value
from opentelemetry.trace import Span, Status, StatusCode, get_current_span, set_span_in_context

from agentgraph.exceptions import RunCancelled

from .attributes import Attributes
from .content import JSON, Content, jsonable
from .settings import InstrumentationSettings

__all__ = ["OpenSpan", "as_text"]

OUTSIDE = create_key("agentgraph-outside")
"""Under this, a context keeps the one from which it was entered."""


class OpenSpan:
    """A span that has begun and not ended."""

    def __init__(self, settings: InstrumentationSettings, span: Span, parent: Context) -> None:
        self.settings, self.span = settings, span
        self.context = set_span_in_context(span, parent)

    def enter(self) -> None:
        """Let the code that runs from here on in this task be inside of the span."""
        attach(set_value(OUTSIDE, get_current(), self.context))

    def leave(self) -> None:
        """Go back to where `enter` was called, unless the code is elsewhere already."""
        here = get_current()
        outside = get_value(OUTSIDE, here)
        if get_current_span(here) is self.span and isinstance(outside, Context):
            attach(outside)

    def tell(self, attributes: Attributes) -> None:
        """Add attributes."""
        self.span.set_attributes(attributes)

    def show(self, content: Content) -> None:
        """Add attributes that hold content, if they are wanted."""
        if self.settings.include_content and self.span.is_recording():
            self.span.set_attributes({name: as_text(value) for name, value in content.items()})

    def fail(self, error: BaseException) -> str | None:
        """Say what ended the work; returns its type. A cancellation is no failure."""
        if not isinstance(error, Exception) or isinstance(error, RunCancelled):
            self.span.set_attribute("agentgraph.cancelled", value=True)
            return None
        kind = type(error).__qualname__
        if self.settings.include_content:
            self.span.record_exception(error)
        self.mark(kind, str(error))
        return kind

    def mark(self, kind: str, message: str) -> None:
        """Say that the work failed; the message is content."""
        self.span.set_attribute("error.type", kind)
        told = f"{kind}: {message}" if self.settings.include_content and message else kind
        self.span.set_status(Status(StatusCode.ERROR, told))

    def end(self) -> None:
        """End the span, and leave it."""
        self.leave()
        self.span.end()


def as_text(value: JSON) -> str:
    """Content as the text of an attribute: a string as it is, anything else as JSON."""
    text = value if isinstance(value, str) else json.dumps(jsonable(value), ensure_ascii=False)
    return text.encode(errors="replace").decode()  # half a surrogate pair would be the end of an exporter
