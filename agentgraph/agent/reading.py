"""Reads the result out of a reply that may still be coming."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from agentgraph.exceptions import ModelRetry
from agentgraph.messages import (
    ModelResponse,
    ModelResponsePart,
    ModelResponseStreamEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
)
from agentgraph.result import Accepted, ResultSchema

if TYPE_CHECKING:
    from agentgraph.result.partial import PartialReader

__all__ = ["Reading", "read_partial", "read_result", "reply_text"]


class Reading:
    """The result of one reply while it comes, of which only what is new is read.

    At every moment it is what `read_partial` reads in the reply so far.
    """

    def __init__(self, schema: ResultSchema[Any], reply: ModelResponse) -> None:
        self._schema = schema
        self._reader: PartialReader[Any] | None = None
        self._call: int | None = None
        """The part that gives the result by a call."""
        self._calls = False
        self._parts = 0
        self._text = ""
        self._texts: int | None = None
        """The part that holds the newest text."""
        self._irregular = False
        """Whether the reply came in another way than services send them, so that all of it has to be looked at."""
        for index, part in enumerate(reply.parts):
            self.hear(PartStartEvent(index, part))

    def hear(self, event: ModelResponseStreamEvent) -> None:
        """Take in what comes."""
        if self._irregular:
            return
        if isinstance(event, PartStartEvent):
            self._begin(event.index, event.part)
        elif isinstance(event.delta, TextPartDelta):
            self._add_text(event.index, event.delta.content_delta)
        elif isinstance(event.delta, ToolCallPartDelta):
            self._add_args(event.index, event.delta)

    def read(self, reply: Callable[[], ModelResponse]) -> Accepted[Any] | None:
        """The result as far as it is there, None if nothing of it can be read yet; `reply` is the reply so far."""
        if self._irregular:
            return read_partial(self._schema, reply())
        if self._call is None and (self._calls or self._texts is None or not self._schema.takes_text):
            return None
        if self._reader is None:
            return Accepted(self._text)
        try:
            return Accepted(self._reader.read())
        except (ValidationError, ModelRetry):
            return None

    def _begin(self, index: int, part: ModelResponsePart) -> None:
        self._irregular = index != self._parts
        self._parts += 1
        match part:
            case TextPart(content):
                self._add_text(index, content)
            case ToolCallPart(name, args):
                self._calls = True
                if self._call is None and name in self._schema.tool_names:
                    self._call, self._reader = index, self._schema.call_reader(name)
                    self._feed(args)
            case _:
                pass

    def _add_args(self, index: int, delta: ToolCallPartDelta) -> None:
        if delta.tool_name_delta is not None:
            self._irregular = True
        elif index == self._call and delta.args_delta is not None:
            self._feed(delta.args_delta)

    def _add_text(self, index: int, text: str) -> None:
        if not text or self._calls:
            return
        if self._texts not in {None, index}:
            self._irregular = index < (self._texts or 0)
            text = f"\n\n{text}"
        self._texts = index
        if self._schema.form is None:
            self._text += text
            return
        if self._reader is None:
            self._reader = self._schema.form.reader()
        self._reader.feed(text)

    def _feed(self, args: str | dict[str, Any]) -> None:  # Any: JSON
        if isinstance(args, str) and self._reader is not None:
            self._reader.feed(args)
        else:
            self._irregular = True


def read_partial(schema: ResultSchema[Any], reply: ModelResponse) -> Accepted[Any] | None:
    """The result in `reply` as far as it is there, None if nothing of it can be read yet."""
    try:
        return read_result(schema, reply, partial=True)
    except (ValidationError, ModelRetry):
        return None


def read_result(schema: ResultSchema[Any], reply: ModelResponse, *, partial: bool) -> Accepted[Any] | None:
    """The result in `reply`, None if there is none; with `partial`, as far as it is there.

    Raises:
        ValidationError: the arguments of a result tool, or the JSON of the text, do not fit (pydantic's).
        ModelRetry: a validator of the result's type refuses them.
    """
    calls = [part for part in reply.parts if isinstance(part, ToolCallPart)]
    for call in calls:
        if call.tool_name in schema.tool_names:
            return Accepted(schema.validate_call(call, partial=partial))
    text = reply_text(reply)
    if not text or calls or not schema.takes_text:
        return None
    return Accepted(schema.validate_text(text, partial=partial))


def reply_text(reply: ModelResponse) -> str:
    """The text of a reply: its text parts, joined by a blank line."""
    return "\n\n".join(part.content for part in reply.parts if isinstance(part, TextPart) and part.content)
