from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from io import StringIO

import pytest
from rich.console import Console

from agentgraph import Agent, UnexpectedModelBehavior
from agentgraph.cli.chat import Conversation
from agentgraph.messages import ModelMessage, ModelResponse
from agentgraph.models.function import AgentInfo, FunctionModel
from tests.cli.calling import CommandLine


@dataclass
class Lines:
    """A prompt that enters these lines."""

    lines: list[str]
    multiline: bool = False

    def read(self) -> str:
        if not self.lines:
            raise EOFError
        return self.lines.pop(0)


@dataclass
class Echo:
    """Streams what was asked, with the count of replies before; some questions go wrong."""

    asked: list[str] = field(default_factory=list[str])

    async def __call__(self, messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        [part] = messages[-1].parts
        question = str(getattr(part, "content", ""))
        self.asked.append(question)
        if question == "fail":
            raise UnexpectedModelBehavior("the model is ill")
        replies = sum(isinstance(message, ModelResponse) for message in messages)
        for piece in ("**", question, "** ", str(replies)):
            yield piece


def converse(*lines: str, terminal: bool = False) -> tuple[str, Conversation]:
    out = StringIO()
    console = Console(file=out, force_terminal=terminal, width=60, highlight=False, color_system=None)
    conversation = Conversation(Agent(FunctionModel(stream_function=Echo())), console)
    conversation.hold(Lines(list(lines)))
    return out.getvalue(), conversation


def test_a_question_is_answered(cli: CommandLine, model_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", model_url)
    done = cli("chat", "what is 6 * 7?", "--model", "openai:desk-1")
    assert (done.code, done.out) == (0, "6 * 7 is **42**.\n")


def test_a_conversation_is_held_on_an_input(cli: CommandLine, model_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", model_url)
    monkeypatch.setenv("AGENTGRAPH_MODEL", "openai:desk-1")
    monkeypatch.setattr("sys.stdin", StringIO("hello\nwhat did I say?\n/exit\nnever read\n"))
    out = cli("chat").out
    assert "Hello!" in out
    assert "So far you said:\n\n1. hello\n" in out
    assert "never read" not in out


def test_a_service_that_is_not_there_fails_in_one_line(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    done = cli("chat", "hello", "--model", "openai:desk-1")
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)


def test_a_model_that_cannot_be_had_is_refused(cli: CommandLine) -> None:
    assert "OPENAI_API_KEY" in cli.refusal("chat", "hello", "--model", "openai:gpt-4o")
    assert "did you mean" in cli.refusal("chat", "hello", "--model", "opnai:gpt-4o")


def test_later_questions_know_the_earlier_ones() -> None:
    out, conversation = converse("one", "", "two")
    assert "**one** 0\n**two** 1\n" in out
    assert len(conversation.messages) == 4


def test_a_terminal_gets_rendered_markdown() -> None:
    out, conversation = converse("one", terminal=True)
    assert "one 0" in out
    assert "**" not in out
    assert conversation.answer == "**one** 0"


def test_the_markdown_of_the_last_answer_can_be_had() -> None:
    out, _ = converse("/markdown", "one", "/markdown", terminal=True)
    assert "There is no answer yet." in out
    assert "**one** 0" in out


def test_commands_are_listed_and_unknown_ones_told() -> None:
    out, _ = converse("/help", "/frob", "/exit", "never asked")
    assert "/multiline" in out
    assert "There is no command /frob" in out
    assert "never asked" not in out


def test_what_only_looks_like_a_command_is_a_question() -> None:
    out, _ = converse("/usr is full")
    assert "**/usr is full** 0" in out


def test_multiline_goes_on_and_off() -> None:
    out, _ = converse("/multiline", "/multiline")
    assert out.index("several lines now") < out.index("one line now")


def test_a_failed_question_is_forgotten_and_the_conversation_goes_on() -> None:
    out, conversation = converse("fail", "one")
    assert "No answer: the model is ill" in out
    assert "**one** 0" in out
    assert len(conversation.messages) == 2


def test_an_interrupted_question_is_forgotten() -> None:
    asked: list[str] = []

    class Interrupted(Conversation):
        def ask(self, prompt: str) -> None:
            asked.append(prompt)
            raise KeyboardInterrupt

    out = StringIO()
    Interrupted(Agent("test"), Console(file=out)).hold(Lines(["one", "two"]))
    assert asked == ["one", "two"]
    assert out.getvalue().count("Interrupted") == 2
