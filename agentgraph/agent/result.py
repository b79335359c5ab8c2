"""What a run ends with, and its messages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Generic

from typing_extensions import TypeVar

from agentgraph.exceptions import UserError
from agentgraph.messages import ModelMessage, ModelMessagesTypeAdapter, ModelRequest, ModelRequestPart, ToolReturnPart
from agentgraph.usage import Usage

from .handling import RESULT_TAKEN
from .state import AgentState, FinalResult

__all__ = ["AgentRunResult", "RunMessages"]

ResultT = TypeVar("ResultT", default=str, covariant=True)


class RunMessages(ABC):
    """The messages of a run: all of the conversation, or those that the run added."""

    @abstractmethod
    def _run_state(self) -> AgentState: ...

    @abstractmethod
    def _final(self) -> FinalResult[Any] | None: ...

    @abstractmethod
    def usage(self) -> Usage:
        """What the run used, on top of what it started from."""

    def cost(self) -> Decimal | None:
        """What the run has cost, in US dollars, child runs included, on top of what it started from.

        None if the price of any of its replies is not known; prices need the extra `prices`.
        """
        return self.usage().total_cost()

    def all_messages(self, *, result_tool_return_content: Any = None) -> list[ModelMessage]:
        """The conversation with what it started from.

        With `result_tool_return_content`, that is what the final result's tool is said to have returned, for going on
        with the conversation.

        Raises:
            UserError: the result was not given by a tool.
        """
        messages = list(self._run_state().message_history)
        if result_tool_return_content is None:
            return messages
        return _with_content(messages, self._final(), result_tool_return_content)

    def new_messages(self, *, result_tool_return_content: Any = None) -> list[ModelMessage]:
        """The messages that this run added. See `all_messages`."""
        messages = self.all_messages(result_tool_return_content=result_tool_return_content)
        return messages[self._run_state().new_from :]

    def all_messages_json(self, *, result_tool_return_content: Any = None) -> bytes:
        """`all_messages` as JSON."""
        return _json(self.all_messages(result_tool_return_content=result_tool_return_content))

    def new_messages_json(self, *, result_tool_return_content: Any = None) -> bytes:
        """`new_messages` as JSON."""
        return _json(self.new_messages(result_tool_return_content=result_tool_return_content))


@dataclass(frozen=True)
class AgentRunResult(RunMessages, Generic[ResultT]):
    """What a run ended with."""

    data: ResultT
    """The result."""
    run_id: str
    _state: AgentState
    _result: FinalResult[ResultT]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(data={self.data!r})"

    def usage(self) -> Usage:
        return self._state.usage

    def _run_state(self) -> AgentState:
        return self._state

    def _final(self) -> FinalResult[Any] | None:
        return self._result


def _json(messages: list[ModelMessage]) -> bytes:
    return ModelMessagesTypeAdapter.dump_json(messages)


def _with_content(messages: list[ModelMessage], final: FinalResult[Any] | None, content: Any) -> list[ModelMessage]:
    last = messages[-1] if messages else None
    if final is None or final.tool_name is None or not isinstance(last, ModelRequest):
        message = "`result_tool_return_content` goes with a result that a tool gave; this one is text, or not there yet"
        raise UserError(message)
    return [*messages[:-1], replace(last, parts=_replaced(last.parts, final, content))]


def _replaced(parts: Sequence[ModelRequestPart], final: FinalResult[Any], content: Any) -> list[ModelRequestPart]:
    return [
        replace(part, content=content)
        if isinstance(part, ToolReturnPart)
        and (part.tool_name, part.tool_call_id, part.content) == (final.tool_name, final.tool_call_id, RESULT_TAKEN)
        else part
        for part in parts
    ]
