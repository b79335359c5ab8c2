"""Every exception that agentgraph raises on purpose.

    ModelRetry                      a tool or validator asks the model to try again
    ApprovalRequired                a tool asks for a person's approval of this call
    CallDeferred                    a tool says that its work is done elsewhere
    UserError                       the caller's mistake
    GraphSetupError (TypeError)     a graph that cannot work, every reason at once
    GraphRuntimeError               a node broke the graph's own rules
      IllegalTransition             a run's status does not allow what was asked
    AgentRunError                   a run failed, or could not be had
      UnexpectedModelBehavior       the model's reply cannot be used
      UsageLimitExceeded            a limit of the run was reached
      DownloadError                 media at a URL cannot be downloaded, or may not be
      ModelHTTPError                the service answered with a failing status
      StoreError                    the store cannot be read or written
        DecodeError                 something stored does not fit the code that reads it
      RunError                      the run itself is not as asked
        RunNotFound  RunExists  RunBusy  RunFenced
        RunWaiting   RunPaused  RunCancelled  RunNotResumable  DeadlineExceeded
    NodeTimeout (TimeoutError)      a node took longer than its class allows
    FallbackExceptionGroup          every model of a FallbackModel failed

Each class takes facts, keeps them as attributes and writes the sentence itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

__all__ = [
    "AgentRunError",
    "ApprovalRequired",
    "CallDeferred",
    "DeadlineExceeded",
    "DecodeError",
    "DownloadError",
    "FallbackExceptionGroup",
    "GraphRuntimeError",
    "GraphSetupError",
    "IllegalTransition",
    "ModelHTTPError",
    "ModelRetry",
    "NodeTimeout",
    "RunBusy",
    "RunCancelled",
    "RunError",
    "RunExists",
    "RunFenced",
    "RunNotFound",
    "RunNotResumable",
    "RunPaused",
    "RunWaiting",
    "StoreError",
    "UnexpectedModelBehavior",
    "UsageLimitExceeded",
    "UserError",
]


class ModelRetry(Exception):
    """Raised by a tool or a result validator: tell the model `message` and ask it again."""

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)


class ApprovalRequired(Exception):
    """Raised by a tool: this call waits until a person approves or denies it; approved, the tool is called again."""


class CallDeferred(Exception):
    """Raised by a tool: its work is done elsewhere, and the call waits until the answer is handed in."""


class UserError(RuntimeError):
    """The caller's mistake: the message says what to change."""

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)


class GraphSetupError(TypeError):
    """A graph that cannot work; `problems` names every reason."""

    def __init__(self, message: str, problems: Sequence[str] = ()) -> None:
        self.problems = tuple(problems)
        self.message = message
        super().__init__("\n".join([message, *(f"  - {problem}" for problem in self.problems)]))


class GraphRuntimeError(RuntimeError):
    """A node did what its graph does not allow."""

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)


class IllegalTransition(GraphRuntimeError):
    """A run with this `status` does not take this `event`; `allowed` are those it takes."""

    def __init__(self, status: str, event: str, allowed: Sequence[str]) -> None:
        self.status, self.event, self.allowed = status, event, tuple(allowed)
        choices = ", ".join(self.allowed) or "nothing more"
        super().__init__(f"a run that is {status} does not take {event!r}; it takes {choices}")


class AgentRunError(RuntimeError):
    """A run failed, or could not be had."""

    run_id: str | None = None
    """The run that raised it; None where there was no run yet."""
    messages: Sequence[object] = ()
    """The run's message history when it was raised."""

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)


class UnexpectedModelBehavior(AgentRunError):
    """The model's reply cannot be used; `body` is what it sent, pretty-printed if it is JSON."""

    def __init__(self, message: str, body: str | None = None) -> None:
        self.body = None if body is None else _pretty(body)
        super().__init__(message)

    def __str__(self) -> str:
        return self.message if self.body is None else f"{self.message}, body:\n{self.body}"


class UsageLimitExceeded(AgentRunError):
    """A usage limit was reached; the run can be resumed with a higher one."""


class DownloadError(AgentRunError):
    """Media at a URL could not be downloaded, or may not be; `url` is without user, password and query."""

    def __init__(self, url: str, reason: str) -> None:
        self.url, self.reason = url, reason
        super().__init__(f"{url} was not downloaded: {reason}")


class ModelHTTPError(AgentRunError):
    """The model's service answered with a failing status."""

    def __init__(self, status_code: int, model_name: str, body: object | None = None) -> None:
        self.status_code, self.model_name, self.body = status_code, model_name, body
        super().__init__(f"status_code: {status_code}, model_name: {model_name}, body: {body}")


class StoreError(AgentRunError):
    """The store cannot be read or written; what was committed stays."""


class DecodeError(StoreError):
    """Something stored does not fit the code that reads it; names the run, the step and the field."""

    def __init__(self, run_id: str, step: int, field: str, reason: str) -> None:
        self.step, self.field, self.reason = step, field, reason
        super().__init__(f"run {run_id!r}, step {step}: {field} cannot be decoded: {reason}")
        self.run_id = run_id


class RunError(AgentRunError):
    """The run named by `run_id` is not as the call needs it."""

    def __init__(self, run_id: str, message: str) -> None:
        super().__init__(message)
        self.run_id = run_id


class RunNotFound(RunError):
    """The store holds no such run."""

    def __init__(self, run_id: str, store: str = "the store") -> None:
        super().__init__(
            run_id,
            f"there is no run {run_id!r} in {store}; look for its id with `store.list()`",
        )


class RunExists(RunError):
    """A new run was given the id of one that exists."""

    def __init__(self, run_id: str) -> None:
        super().__init__(
            run_id,
            f"there is a run {run_id!r} already; go on with `resume={run_id!r}` or take a new id",
        )


class RunBusy(RunError):
    """Another owner executes the run and is alive; or another turn of the conversation has come first."""

    def __init__(self, run_id: str, owner: str | None, seconds: float) -> None:
        self.owner, self.seconds = owner, seconds
        super().__init__(run_id, _why_busy(run_id, owner, seconds))


def _why_busy(run_id: str, owner: str | None, seconds: float) -> str:
    if owner is None:
        return f"run {run_id!r} is the newest turn of the conversation by now: begin yours again, to go on from there"
    return (
        f"run {run_id!r} is executed by {owner}; it can be taken over when its lease, "
        f"{seconds:.0f} s from now at the earliest, is not renewed"
    )


class RunFenced(RunError):
    """The run was taken over by another owner; this one has changed nothing since."""

    def __init__(self, run_id: str, seq: int) -> None:
        self.seq = seq
        super().__init__(
            run_id,
            f"run {run_id!r} was taken over at or before step {seq}: nothing was written here; "
            "go on with what the other owner does",
        )


class RunWaiting(RunError):
    """The run waits for answers, or for a time; `requests` are its open questions."""

    def __init__(self, run_id: str, requests: Sequence[object] = (), wake_at: datetime | None = None) -> None:
        self.requests = tuple(requests)
        self.questions = self.requests
        """The same as the engine knows them, where `requests` was put into other words."""
        self.wake_at = wake_at
        """When the run is to be resumed, answered or not; None: when it is answered."""
        when = "" if wake_at is None else wake_at.isoformat(sep=" ", timespec="seconds")
        if wake_at is not None and not self.requests:
            sentence = f"sleeps until {when}; resume it then"
        else:
            until = f", or until {when}" if when else ""
            sentence = f"waits for {len(self.requests)} answer(s){until}; resume it with `answers=`"
        super().__init__(run_id, f"run {run_id!r} {sentence}")


class RunPaused(RunError):
    """The run stands before a node that `break_before` names; `nodes` are those, by the paths of their branches."""

    def __init__(self, run_id: str, nodes: Mapping[str, object]) -> None:
        self.nodes = dict(nodes)
        where = [f"{type(node).__name__}{f' of branch {path}' if path else ''}" for path, node in self.nodes.items()]
        super().__init__(
            run_id,
            f"run {run_id!r} stopped before {', '.join(where)}, as `break_before` says; go on with `resume={run_id!r}`",
        )


class RunCancelled(RunError):
    """The run was cancelled from elsewhere."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id, f"run {run_id!r} was cancelled; go on with `resume={run_id!r}`")


class DeadlineExceeded(RunError):
    """The run was not done at its `deadline`; what it had done is kept."""

    def __init__(self, run_id: str, deadline: datetime) -> None:
        self.deadline = deadline
        when = deadline.isoformat(sep=" ", timespec="seconds")
        super().__init__(
            run_id,
            f"run {run_id!r} was not done at its deadline, {when}; "
            f"go on with `resume={run_id!r}` and a later `deadline`",
        )


class RunNotResumable(RunError):
    """The run cannot go on with this code or these options; `problems` lists all that does not fit."""

    def __init__(self, run_id: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(run_id, f"run {run_id!r} cannot be resumed: " + "; ".join(self.problems))


class NodeTimeout(TimeoutError):
    """A node took longer than the `timeout` of its class allows; its `retry` may try again."""

    def __init__(self, run_id: str, seq: int, node: str, seconds: float) -> None:
        self.run_id, self.seq, self.node, self.seconds = run_id, seq, node, seconds
        super().__init__(
            f"{node} took longer than its `timeout` of {seconds:g} s in step {seq} of run {run_id!r}; "
            f"give {node} more time, or a `retry`"
        )


class FallbackExceptionGroup(ExceptionGroup[Exception]):
    """Every model of a `FallbackModel` failed; `exceptions` holds one failure a model, in order."""

    def derive(self, excs: Sequence[Any], /) -> Any:  # the overloads of the base, which no subclass can give
        return FallbackExceptionGroup(self.message, excs)


def _pretty(body: str) -> str:
    try:
        return json.dumps(json.loads(body), indent=2)
    except ValueError:
        return body
