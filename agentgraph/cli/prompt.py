"""Where the lines of a conversation come from: an editor with history on a terminal, else the input as it is."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TextIO

__all__ = ["EditedPrompt", "Prompt", "ReadPrompt", "history_file", "prompt_for"]

MARK = "> "


class Prompt(Protocol):
    """Asks for what to say next."""

    multiline: bool
    """Whether it may have several lines."""

    def read(self) -> str:
        """What was entered.

        Raises:
            EOFError: there is no more.
        """
        ...


def prompt_for(stdin: TextIO) -> Prompt:
    """What suits the input."""
    return EditedPrompt(history_file()) if stdin.isatty() else ReadPrompt(stdin)


def history_file() -> Path | None:
    """Where the lines of earlier conversations are kept, for their user alone; None: nowhere, it cannot be written."""
    base = os.environ.get("XDG_STATE_HOME")
    path = (Path(base) if base else Path.home() / ".local" / "state") / "agentgraph" / "chat_history"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600))
    except OSError:
        return None
    return path


class ReadPrompt:
    """Reads an input that is no terminal; in `multiline` an empty line ends what is said."""

    def __init__(self, source: TextIO) -> None:
        self.multiline = False
        self._source = source

    def read(self) -> str:
        lines = [self._line()]
        if self.multiline and not lines[0].startswith("/"):
            with suppress(EOFError):
                while lines[-1]:
                    lines.append(self._line())
        return "\n".join(lines)

    def _line(self) -> str:
        line = self._source.readline()
        if not line:
            raise EOFError
        return line.rstrip("\r\n")


class EditedPrompt:
    """Edits a line, with the arrow keys, search and history of a shell; Ctrl-C clears it."""

    def __init__(self, history: Path | None) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.history import FileHistory, InMemoryHistory

        self.multiline = False
        kept = InMemoryHistory() if history is None else FileHistory(str(history))
        self._session: PromptSession[str] = PromptSession(history=kept)

    def read(self) -> str:
        while True:
            with suppress(KeyboardInterrupt):
                return self._session.prompt(MARK, multiline=self.multiline)
