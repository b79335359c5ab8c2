"""`agentgraph show --follow`: a run as it goes, line by line."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import assert_never

from rich.console import Console
from rich.text import Text

from agentgraph.agent import Agent, AgentRunEvent, CallAnswered, MessageAdded, MessagesCut
from agentgraph.graph import Emitted, RunEnded, StepEnded, StepStarted, TextAdded
from agentgraph.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, ToolReturnPart

from .printing import console, one_line, text
from .runs import STYLES
from .stores import existing_store
from .transcript import transcript

__all__ = ["follow_run"]


async def follow_run(where: str, run_id: str) -> None:
    """Print what a stored run has said, and then what it says, until it has ended."""
    agent: Agent[None, str] = Agent()
    async with existing_store(where) as store, aclosing(agent.events(run_id, store=store)) as events:
        printer = _Printer(console())
        async for told in events:
            printer.show(told.event)


class _Printer:
    def __init__(self, out: Console) -> None:
        self._out = out
        self._speaking = False

    def show(self, event: AgentRunEvent) -> None:
        """Print what an event says; text goes on where it stopped."""
        if isinstance(event, TextAdded):
            self._speaking = True
            self._out.print(text(event.text), end="", soft_wrap=True)
            return
        if self._speaking:
            self._out.print()
            self._speaking = False
        match event:
            case MessageAdded(message=message):
                self._message(message)
            case StepEnded() | MessagesCut():
                pass
            case _:
                self._out.print(_line(event))

    def _message(self, message: ModelMessage) -> None:
        """A message, without the text that was printed while it came."""
        if isinstance(message, ModelResponse):
            message = replace(message, parts=[part for part in message.parts if not isinstance(part, TextPart)])
        if isinstance(message, ModelRequest) or message.parts:
            self._out.print(transcript([message]))


def _line(event: StepStarted | CallAnswered | RunEnded | Emitted) -> Text:
    match event:
        case StepStarted(seq=seq, attempt=attempt, node=node):
            return text(f"step {seq}: {node}{f', attempt {attempt}' if attempt > 1 else ''}", "dim")
        case CallAnswered(answer=answer):
            said = answer.model_response_str() if isinstance(answer, ToolReturnPart) else answer.model_response()
            return text(f"  {answer.tool_name} -> {one_line(said)}", "green")
        case RunEnded(status=status, error=error):
            return text(f"{status}: {error}" if error else status, STYLES.get(status, ""))
        case Emitted(event=emitted):
            return text(f"  {emitted}", "dim")
        case _:
            assert_never(event)
