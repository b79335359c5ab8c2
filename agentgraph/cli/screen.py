"""Shows a run while it runs: a live region for the current step on a terminal, plain lines anywhere else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, assert_never

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from .printing import one_line, text
from .walk import CallBegan, CallEnded, NodeBegan, RunFinished, TextCame, WalkEvent

__all__ = ["LiveScreen", "PlainScreen", "Screen", "screen_for"]


class Screen(Protocol):
    """Shows what happens."""

    def tell(self, event: WalkEvent) -> None:
        """Show an event."""
        ...

    def close(self) -> None:
        """Nothing more comes, perhaps in the middle of a step."""
        ...


def screen_for(console: Console) -> Screen:
    """What suits the console."""
    return LiveScreen(console) if console.is_terminal else PlainScreen(console)


@dataclass
class _Call:
    began: CallBegan
    ended: CallEnded | None = None


@dataclass
class _Step:
    """What is known of the current step."""

    began: NodeBegan | None = None
    text: list[str] = field(default_factory=list[str])
    calls: dict[str, _Call] = field(default_factory=dict[str, _Call])

    def take(self, event: TextCame | CallBegan | CallEnded) -> None:
        match event:
            case TextCame(delta=delta):
                self.text.append(delta)
            case CallBegan(call_id=call_id):
                self.calls[call_id] = _Call(event)
            case CallEnded(call_id=call_id) if call_id in self.calls:
                self.calls[call_id].ended = event
            case CallEnded():
                pass
            case _:
                assert_never(event)


class LiveScreen:
    """For a terminal: the current step is drawn anew as it changes, and left as it ended."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._step = _Step()
        self._live: Live | None = None

    def tell(self, event: WalkEvent) -> None:
        match event:
            case NodeBegan():
                self._end_step()
                self._step = _Step(event)
                self._live = Live(console=self._console, get_renderable=self._draw, transient=True)
                self._live.start()
            case RunFinished(result=result):
                self._end_step()
                self._console.print(_result(result))
            case _:
                self._step.take(event)

    def close(self) -> None:
        self._end_step()

    def _draw(self) -> RenderableType:
        began = self._step.began
        head = Spinner("dots", _head(began)) if began else Text()
        calls: list[RenderableType] = [
            _ended(call) if call.ended else Spinner("dots", _begun(call.began)) for call in self._step.calls.values()
        ]
        return Group(head, *_said(self._step), *calls)

    def _end_step(self) -> None:
        if self._live is None or self._step.began is None:
            return
        self._live.stop()
        self._live = None
        calls = [_ended(call) if call.ended else _unanswered(call) for call in self._step.calls.values()]
        self._console.print(_head(self._step.began), *_said(self._step), *calls, sep="\n")


class PlainScreen:
    """For a file or a pipe: lines, and the model's text as it comes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._step = _Step()

    def tell(self, event: WalkEvent) -> None:
        match event:
            case NodeBegan():
                self._end_step()
                self._step = _Step(event)
                self._console.print(_head(event))
                return
            case RunFinished(result=result):
                self._end_step()
                self._console.print(_result(result))
                return
            case TextCame(delta=delta):
                self._write(delta)
            case CallBegan():
                self._console.print(_begun(event))
            case CallEnded(call_id=call_id):
                began = self._step.calls.get(call_id)
                if began is not None:
                    self._console.print(_ended(_Call(began.began, event)))
            case _:
                assert_never(event)
        self._step.take(event)

    def close(self) -> None:
        self._end_step()

    def _write(self, delta: str) -> None:
        start = "" if self._step.text else "    "
        self._console.print(text(start + delta), end="", soft_wrap=True)

    def _end_step(self) -> None:
        if self._step.text:
            self._console.print()
        for call in self._step.calls.values():
            if call.ended is None:
                self._console.print(_unanswered(call))
        self._step = _Step()


def _head(began: NodeBegan) -> Text:
    again = f" (attempt {began.attempt})" if began.attempt > 1 else ""
    return text(f"step {began.seq}  {began.node}{again}", "bold cyan")


def _said(step: _Step) -> list[Text]:
    said = "".join(step.text).strip()
    return [text(f"    {said}")] if said else []


def _begun(call: CallBegan) -> Text:
    return text(f"    {call.tool} {one_line(call.args)}")


def _ended(call: _Call) -> Text:
    assert call.ended is not None
    tool, answer = call.began.tool, one_line(call.ended.answer)
    if call.ended.kept:
        return text(f"    {tool} was done already, says the journal: {answer}", "magenta")
    mark, style = ("retry", "yellow") if call.ended.retry else ("->", "green")
    return text(f"    {tool} {mark} {answer}", style)


def _unanswered(call: _Call) -> Text:
    return text(f"    {call.began.tool} was running", "red")


def _result(result: str) -> Text:
    return text(f"result  {result}", "bold green")
