from __future__ import annotations

from collections.abc import Generator
from io import StringIO
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from agentgraph.cli.prompt import EditedPrompt, ReadPrompt, history_file, prompt_for

ENTER, CTRL_C, CTRL_D, UP, ESCAPE_ENTER = "\r", "\x03", "\x04", "\x1b[A", "\x1b\r"


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def keys() -> Generator[PipeInput]:
    """What is typed."""
    with create_pipe_input() as typed, create_app_session(input=typed, output=DummyOutput()):
        yield typed


def test_each_input_gets_its_prompt(keys: PipeInput, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert isinstance(prompt_for(StringIO("x")), ReadPrompt)
    assert isinstance(prompt_for(Terminal()), EditedPrompt)


def test_lines_are_read_until_the_end() -> None:
    prompt = ReadPrompt(StringIO("one\r\ntwo"))
    assert [prompt.read(), prompt.read()] == ["one", "two"]
    with pytest.raises(EOFError):
        prompt.read()


def test_several_lines_end_with_an_empty_one() -> None:
    prompt = ReadPrompt(StringIO("one\ntwo\n\n/exit\nlast"))
    prompt.multiline = True
    assert [prompt.read(), prompt.read(), prompt.read()] == ["one\ntwo\n", "/exit", "last"]


def test_a_line_is_edited(keys: PipeInput) -> None:
    keys.send_text(f"hello{ENTER}")
    assert EditedPrompt(None).read() == "hello"


def test_ctrl_c_clears_the_line_and_ctrl_d_leaves(keys: PipeInput) -> None:
    prompt = EditedPrompt(None)
    keys.send_text(f"wrong{CTRL_C}")
    keys.send_text(f"right{ENTER}")
    assert prompt.read() == "right"
    keys.send_text(CTRL_D)
    with pytest.raises(EOFError):
        prompt.read()


def test_several_lines_are_sent_with_escape_enter(keys: PipeInput) -> None:
    prompt = EditedPrompt(None)
    prompt.multiline = True
    keys.send_text(f"one{ENTER}two{ESCAPE_ENTER}")
    assert prompt.read() == "one\ntwo"


def test_earlier_lines_are_kept_for_their_user_alone(
    keys: PipeInput, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    kept = history_file()
    assert kept is not None
    assert kept == tmp_path / "agentgraph" / "chat_history"
    keys.send_text(f"hello{ENTER}")
    EditedPrompt(kept).read()
    assert "hello" in kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0


def test_without_a_place_for_it_there_is_no_history(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert history_file() is None


def test_the_history_is_in_the_home_by_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert history_file() == tmp_path / ".local" / "state" / "agentgraph" / "chat_history"
