"""Replies of Groq, which refuses some of what its models say.

Where a model gets a call wrong, or makes none where it has to, the service answers with the error `tool_use_failed`. It
hands out what the model had said. That is made a reply, so that the agent does what it does about any that is wrong:
tell the model, and ask again.
"""

from __future__ import annotations

from pydantic_core import from_json

from agentgraph.messages import ModelResponseStreamEvent, ToolCallPart

from .openai_reply import ChatReply
from .wire import as_object, count, error_inside

__all__ = ["GroqReply", "is_refused"]

REFUSED = "tool_use_failed"


def is_refused(body: object) -> bool:
    """Whether the body of an error is about what the model said, and holds it."""
    error = as_object(as_object(body).get("error"))
    return error.get("code") == REFUSED and bool(error.get("failed_generation"))


class GroqReply(ChatReply):
    """One reply being put together."""

    def failed(self, error: object, body: str | bytes) -> list[ModelResponseStreamEvent]:
        """Take what the model had said as its reply if that is what the error is about."""
        fields = as_object(error)
        if fields.get("code") != REFUSED or not (self.begun or is_refused({"error": error})):
            raise error_inside(count(fields, "status_code"), self.model_name, body)
        said = str(fields.get("failed_generation") or "")
        self.begun = self.ended = True
        self._details[REFUSED] = fields.get("message")
        call = _meant(said)
        if call is not None:
            return self._builder.part(REFUSED, call)
        # In a stream, the text has come before.
        return [] if self._builder.text_so_far() else self._builder.text(said)


def _meant(said: str) -> ToolCallPart | None:
    """The call that the model meant, if what it said is one."""
    try:
        call = as_object(from_json(said))
    except ValueError:
        return None
    name, arguments = call.get("name"), call.get("arguments", call.get("parameters"))
    if not isinstance(name, str):
        return None
    return ToolCallPart(name, arguments if isinstance(arguments, str) else as_object(arguments))
