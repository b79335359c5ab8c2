"""Each exception keeps its facts and writes its sentence."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from agentgraph import exceptions
from agentgraph.exceptions import (
    AgentRunError,
    DeadlineExceeded,
    DecodeError,
    DownloadError,
    FallbackExceptionGroup,
    GraphRuntimeError,
    GraphSetupError,
    IllegalTransition,
    ModelHTTPError,
    ModelRetry,
    NodeTimeout,
    RunBusy,
    RunCancelled,
    RunError,
    RunExists,
    RunFenced,
    RunNotFound,
    RunNotResumable,
    RunPaused,
    RunWaiting,
    StoreError,
    UnexpectedModelBehavior,
    UsageLimitExceeded,
    UserError,
)

LATE = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)

SENTENCES: dict[str, tuple[Exception, str]] = {
    "retry": (ModelRetry("again"), "again"),
    "user": (UserError("no"), "no"),
    "setup": (GraphSetupError("bad", ["a", "b"]), "bad\n  - a\n  - b"),
    "setup alone": (GraphSetupError("bad"), "bad"),
    "runtime": (GraphRuntimeError("no"), "no"),
    "illegal": (
        IllegalTransition("pending", "wait", ["start", "cancel"]),
        "a run that is pending does not take 'wait'; it takes start, cancel",
    ),
    "final": (
        IllegalTransition("succeeded", "wait", []),
        "a run that is succeeded does not take 'wait'; it takes nothing more",
    ),
    "body": (UnexpectedModelBehavior("odd", "{}x"), "odd, body:\n{}x"),
    "json": (UnexpectedModelBehavior("odd", '{"a":1}'), 'odd, body:\n{\n  "a": 1\n}'),
    "no body": (UnexpectedModelBehavior("odd"), "odd"),
    "limit": (UsageLimitExceeded("too much"), "too much"),
    "download": (DownloadError("https://h/a", "it is too big"), "https://h/a was not downloaded: it is too big"),
    "http": (ModelHTTPError(500, "m", "b"), "status_code: 500, model_name: m, body: b"),
    "store": (StoreError("full"), "full"),
    "decode": (DecodeError("r", 3, "A.x", "odd"), "run 'r', step 3: A.x cannot be decoded: odd"),
    "not found": (RunNotFound("r"), "there is no run 'r' in the store; look for its id with `store.list()`"),
    "exists": (RunExists("r"), "there is a run 'r' already; go on with `resume='r'` or take a new id"),
    "busy": (
        RunBusy("r", "p", 7.4),
        "run 'r' is executed by p; it can be taken over when its lease, 7 s from now at the earliest, is not renewed",
    ),
    "fenced": (
        RunFenced("r", 2),
        "run 'r' was taken over at or before step 2: nothing was written here; go on with what the other owner does",
    ),
    "waiting": (RunWaiting("r", ["q"]), "run 'r' waits for 1 answer(s); resume it with `answers=`"),
    "cancelled": (RunCancelled("r"), "run 'r' was cancelled; go on with `resume='r'`"),
    "paused": (
        RunPaused("r", {"": 1, "0:1": "x"}),
        "run 'r' stopped before int, str of branch 0:1, as `break_before` says; go on with `resume='r'`",
    ),
    "late": (
        DeadlineExceeded("r", LATE),
        f"run 'r' was not done at its deadline, {LATE}; go on with `resume='r'` and a later `deadline`",
    ),
    "slow": (
        NodeTimeout("r", 3, "Fetch", 5),
        "Fetch took longer than its `timeout` of 5 s in step 3 of run 'r'; give Fetch more time, or a `retry`",
    ),
    "not resumable": (RunNotResumable("r", ["a", "b"]), "run 'r' cannot be resumed: a; b"),
}


@pytest.mark.parametrize("name", SENTENCES)
def test_the_sentence(name: str) -> None:
    error, sentence = SENTENCES[name]
    assert str(error) == sentence


def test_the_facts() -> None:
    assert RunNotResumable("r", ["a"]).problems == ("a",)
    assert RunWaiting("r", ["q"]).requests == ("q",)
    busy = RunBusy("r", "somebody", 2.0)
    assert (busy.run_id, busy.owner, busy.seconds) == ("r", "somebody", 2.0)
    assert (RunFenced("r", 2).seq, DecodeError("r", 3, "x", "y").reason) == (2, "y")


def test_errors_of_runs_name_their_run() -> None:
    for error, _ in SENTENCES.values():
        if isinstance(error, RunError | DecodeError):
            assert error.run_id == "r"
    assert (AgentRunError("x").run_id, AgentRunError("x").messages) == (None, ())


def test_the_tree_is_the_one_that_is_drawn() -> None:
    drawn = re.findall(r"\b[A-Z]\w+", (exceptions.__doc__ or "").split("every reason at once")[1])
    assert {name for name in drawn if name in exceptions.__all__} | {
        "ApprovalRequired",
        "CallDeferred",
        "ModelRetry",
        "UserError",
        "GraphSetupError",
    } == set(exceptions.__all__)
    assert issubclass(GraphSetupError, TypeError)
    assert issubclass(IllegalTransition, GraphRuntimeError)
    assert issubclass(DecodeError, StoreError)
    assert issubclass(RunError, AgentRunError)
    assert FallbackExceptionGroup("all", [ValueError()]).exceptions
