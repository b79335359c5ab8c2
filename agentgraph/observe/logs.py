"""The observer that writes log records, by the standard library's logging."""

from __future__ import annotations

import logging
from typing import assert_never

from agentgraph.agent import CallEnded, CallStarted, ReplyStarted, RequestEnded, RequestStarted
from agentgraph.graph import (
    Dispatched,
    DispatchEvent,
    Emitted,
    HandedOn,
    Recovered,
    RunEnded,
    RunEvent,
    RunStarted,
    Status,
    StepEnded,
    StepStarted,
    Submitted,
)
from agentgraph.messages import RetryPromptPart, ToolReturnPart

__all__ = ["LoggingObserver"]


class LoggingObserver:
    """Logs what happens in runs: runs at INFO, failed ones at ERROR, steps, requests and calls at DEBUG.

    What becomes of a run that was submitted is told at INFO, at WARNING if its worker was lost.

    Each record carries `run_id`, and `seq` where it is about a step. One object observes any number of runs, of agents
    (`Agent(instrument=LoggingObserver())`) and of other graphs (`graph.run(observers=[LoggingObserver()])`).

    Args:
        logger: where to; the logger `agentgraph` by default.
        include_content: whether arguments, results and the texts of errors are told.
    """

    def __init__(self, logger: logging.Logger | None = None, *, include_content: bool = False) -> None:
        self._logger = logger or logging.getLogger("agentgraph")
        self._include_content = include_content

    def __call__(self, event: RunEvent) -> None:
        level = _level(event)
        if self._logger.isEnabledFor(level):
            about: dict[str, str | int] = {"run_id": event.run_id}
            if not isinstance(event, RunEnded):
                about["seq"] = event.seq
            self._logger.log(level, "run %s: %s", event.run_id, self._said(event), extra=about)

    def _said(self, event: RunEvent) -> str:
        match event:
            case RunStarted():
                return f"started at step {event.seq}"
            case StepStarted():
                attempt = f", attempt {event.attempt}" if event.attempt > 1 else ""
                return f"step {event.seq}: {event.node} begins{attempt}"
            case StepEnded():
                return f"step {event.seq}: {event.node} led to {event.outcome}"
            case Emitted():
                return f"step {event.seq}: {self._emitted(event.event)}"
            case RunEnded():
                return f"{event.status}" if event.error is None else f"{event.status}, {self._error(event.error)}"
            case _ as never:  # pyright: ignore[reportUnnecessaryComparison] - the closed union is held by assert_never
                assert_never(never)

    def _emitted(self, event: object) -> str:
        match event:
            case RequestStarted():
                return f"{event.model.model_name} is asked, {len(event.messages)} message(s)"
            case ReplyStarted():
                return f"{event.request.model.model_name} begins to reply"
            case RequestEnded():
                return f"{event.request.model.model_name} {self._reply(event)}"
            case CallStarted():
                return f"tool {event.part.tool_name} is called{self._content(event.part.args)}"
            case CallEnded():
                return f"tool {event.call.part.tool_name} {self._answer(event)}"
            case Submitted() | Dispatched() | HandedOn() | Recovered():
                return _dispatched(event)
            case _:
                return f"emitted {type(event).__name__}{self._content(event)}"

    def _reply(self, ended: RequestEnded) -> str:
        if ended.error is not None:
            return f"did not reply, {self._raised(ended.error)}"
        used = ended.usage
        tokens = (used.request_tokens, used.response_tokens) if used else (None, None)
        told = [f"{count} {what} tokens" for count, what in zip(tokens, ("request", "response"), strict=True) if count]
        return ", ".join(["replied", *told])

    def _answer(self, ended: CallEnded) -> str:
        match ended.answer:
            case ToolReturnPart() as answer:
                return f"returned{self._content(answer.content)}"
            case RetryPromptPart() as answer:
                return f"has to be called again{self._content(answer.content)}"
            case None:
                assert ended.error is not None  # one of the two is there
                return "waits for an answer" if ended.waits else f"did not return, {self._raised(ended.error)}"
            case _ as never:  # pyright: ignore[reportUnnecessaryComparison] - the closed union is held by assert_never
                assert_never(never)

    def _raised(self, error: BaseException) -> str:
        return self._error(f"{type(error).__name__}: {error}")

    def _error(self, error: str) -> str:
        return error if self._include_content else error.partition(": ")[0]

    def _content(self, value: object) -> str:
        return f": {value!r}" if self._include_content else ""


def _dispatched(event: DispatchEvent) -> str:
    queue = event.queue if event.tenant is None else f"{event.queue} for {event.tenant}"
    match event:
        case Submitted():
            return f"submitted to queue {queue}"
        case Dispatched(waited=None):
            return f"taken from queue {queue}"
        case Dispatched(waited=waited):
            return f"taken from queue {queue} after {waited:.2f} s"
        case HandedOn():
            return f"handed on to queue {queue}"
        case Recovered(executor=executor):
            return f"given back to queue {queue}, for worker {executor} was lost"
        case _ as never:
            assert_never(never)


def _level(event: RunEvent) -> int:
    match event:
        case RunEnded(status=Status.FAILED):
            return logging.ERROR
        case Emitted(event=Recovered()):
            return logging.WARNING
        case RunStarted() | RunEnded() | Emitted(event=Submitted() | Dispatched() | HandedOn()):
            return logging.INFO
        case _:
            return logging.DEBUG
