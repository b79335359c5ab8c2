"""`agentgraph chat`: one answer, or a conversation. Replies are shown as Markdown while they come."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown

from agentgraph.agent import Agent
from agentgraph.exceptions import AgentRunError
from agentgraph.messages import ModelMessage
from agentgraph.portal import run_sync

from .errors import FailedError
from .printing import console, text
from .prompt import Prompt, prompt_for

__all__ = ["chat"]

DEFAULT_MODEL = "openai:gpt-4o"

HELP = """\
/exit       leave (so does Ctrl-D)
/markdown   show the last answer as the Markdown it was written in
/multiline  write several lines, sent with Esc Enter, or with an empty line where there is no terminal; again: one line
/help       this list"""


def chat(
    prompt: Annotated[str | None, typer.Argument(help="What to ask; without it a conversation begins.")] = None,
    model: Annotated[
        str, typer.Option(envvar="AGENTGRAPH_MODEL", metavar="NAME", help="See `agentgraph models`.")
    ] = DEFAULT_MODEL,
) -> None:
    """Ask a model, once or in a conversation."""
    conversation = Conversation(Agent(model, name="chat"), console())
    if prompt is None:
        conversation.hold(prompt_for(sys.stdin))
        return
    try:
        conversation.ask(prompt)
    except AgentRunError as error:
        raise FailedError(str(error)) from error


@dataclass
class Conversation:
    """What was said so far, and where answers are shown."""

    agent: Agent
    out: Console
    messages: list[ModelMessage] = field(default_factory=list[ModelMessage])
    answer: str = ""
    """The last one, as it was written."""

    def ask(self, prompt: str) -> None:
        """Show the answer as it comes, and remember both.

        Raises:
            AgentRunError: there was no answer.
            KeyboardInterrupt: it was interrupted; nothing is remembered.
        """
        run_sync(lambda: self._ask(prompt))

    def hold(self, prompt: Prompt) -> None:
        """Read and answer until the end of the input, or `/exit`."""
        self.out.print("Ask anything; /help lists the commands, /exit leaves.", style="dim")
        with suppress(EOFError):
            while True:
                self._take(prompt, prompt.read().strip())

    def _take(self, prompt: Prompt, line: str) -> None:
        match line:
            case "":
                pass
            case "/exit":
                raise EOFError
            case "/help":
                self.out.print(text(HELP))
            case "/markdown":
                self.out.print(text(self.answer or "There is no answer yet."))
            case "/multiline":
                prompt.multiline = not prompt.multiline
                self.out.print(text(f"Prompts have {'several lines' if prompt.multiline else 'one line'} now."))
            case command if command.startswith("/") and " " not in command and "\n" not in command:
                self.out.print(text(f"There is no command {command}; /help lists them."))
            case _:
                self._answer(line)

    def _answer(self, line: str) -> None:
        try:
            self.ask(line)
        except AgentRunError as error:
            self.out.print(text(f"No answer: {error}", "red"))
        except KeyboardInterrupt:
            self.out.print(text("Interrupted; the question is forgotten.", "yellow"))

    async def _ask(self, prompt: str) -> None:
        pieces: list[str] = []
        async with self.agent.run_stream(prompt, message_history=self.messages) as response:
            deltas = response.stream_text(delta=True, debounce_by=None)
            if self.out.is_terminal:
                await self._show_markdown(deltas, pieces)
            else:
                await self._show_text(deltas, pieces)
        self.messages, self.answer = response.all_messages(), "".join(pieces)

    async def _show_markdown(self, deltas: AsyncIterator[str], pieces: list[str]) -> None:
        # What is longer than the screen is cut while it comes, and shown whole in the end.
        with Live(console=self.out, vertical_overflow="ellipsis", refresh_per_second=12, transient=True) as live:
            async for delta in deltas:
                pieces.append(delta)
                live.update(_markdown(pieces))
        self.out.print(_markdown(pieces))

    async def _show_text(self, deltas: AsyncIterator[str], pieces: list[str]) -> None:
        async for delta in deltas:
            pieces.append(delta)
            self.out.print(text(delta), end="", soft_wrap=True)
        self.out.print()


def _markdown(pieces: Sequence[str]) -> Markdown:
    return Markdown(text("".join(pieces)).plain)
