"""A reply as the JSON of a chat completion, whole or in chunks. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .conversation import Reply

__all__ = ["Completion"]

JSON = dict[str, Any]  # Any: JSON

TOKEN = re.compile(r"\s*\S{1,6}")


@dataclass(frozen=True)
class Completion:
    """A reply to be sent."""

    reply: Reply
    model: str
    prompt: str
    """The request's text, of which the tokens are counted."""
    id: str
    created: int
    """Unix time, seconds."""

    def whole(self) -> JSON:
        """All at once."""
        message = {"role": "assistant", "content": self.reply.text or None, "tool_calls": list(self._calls())}
        choice = {"index": 0, "message": message, "finish_reason": self._finish}
        return {**self._head("chat.completion"), "choices": [choice], "usage": self._usage()}

    def chunks(self) -> Iterator[JSON]:
        """Token by token, the usage last."""
        head = self._head("chat.completion.chunk")
        for delta in self._deltas():
            yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        yield {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": self._finish}]}
        yield {**head, "choices": [], "usage": self._usage()}

    @property
    def _finish(self) -> str:
        return "tool_calls" if self.reply.calls else "stop"

    def _head(self, kind: str) -> JSON:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}

    def _calls(self) -> Iterator[JSON]:
        for index, call in enumerate(self.reply.calls):
            function = {"name": call.tool, "arguments": json.dumps(call.arguments)}
            yield {"index": index, "id": f"call_{self.id}_{index}", "type": "function", "function": function}

    def _deltas(self) -> Iterator[JSON]:
        yield {"role": "assistant", "content": ""}
        for token in TOKEN.findall(self.reply.text):
            yield {"content": token}
        for call in self._calls():
            function = call["function"]
            yield {"tool_calls": [{**call, "function": {**function, "arguments": ""}}]}
            for token in TOKEN.findall(function["arguments"]):
                yield {"tool_calls": [{"index": call["index"], "function": {"arguments": token}}]}

    def _usage(self) -> JSON:
        asked = len(TOKEN.findall(self.prompt))
        written = [self.reply.text, *(call["function"]["arguments"] for call in self._calls())]
        answered = sum(len(TOKEN.findall(piece)) for piece in written)
        return {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}
