"""A process is killed amidst a call that must not be made again unasked; others ask, answer and go on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .marks import read_marks

SCRIPT = """
import json, os, signal, sys
from pathlib import Path
from agentgraph import Agent, RunContext, RunWaiting, ToolApproved, ToolDenied
from agentgraph.messages import ModelResponse, TextPart, ToolCallPart
from agentgraph.models.function import FunctionModel
from tests.crash.marks import leave_mark, read_marks

CALLS = [ToolCallPart("pay", {"euros": 5}, "c1"), ToolCallPart("look_up", {}, "c2")]


def reply(messages, info):
    return ModelResponse(CALLS) if len(messages) == 1 else ModelResponse([TextPart("done")])


agent = Agent(FunctionModel(reply), store="runs.db")
marks = Path("marks")


@agent.tool(after_crash="ask")
async def pay(ctx: RunContext[None], euros: int) -> str:
    leave_mark(marks, f"paid {euros} for {ctx.idempotency_key}")
    while not await store_knows():
        pass
    if sum(read_marks(marks).values()) == 2:  # the first time
        os.kill(os.getpid(), signal.SIGKILL)
    return "paid"


@agent.tool_plain
async def look_up() -> str:
    leave_mark(marks, "looked up")
    return "found"


async def store_knows() -> bool:
    return any(row.key == "1" for row in await agent._store().calls("r"))


match sys.argv[1:]:
    case ["begin"]:
        agent.run_sync("go", run_id="r")
    case ["ask"]:
        try:
            agent.run_sync(resume="r")
        except RunWaiting as waiting:
            print(json.dumps([[request.key, request.reason, request.digest] for request in waiting.requests]))
    case ["answer", key, digest, said]:
        import anyio
        answer = {"again": ToolApproved(digest=digest), "no": ToolDenied("no", digest=digest)}.get(said, said)
        anyio.run(agent.answer, "r", key, answer)
    case ["end"]:
        result = agent.run_sync(resume="r")
        print(json.dumps([part.content for part in result.all_messages()[2].parts]))
"""


def process(folder: Path, *args: str) -> tuple[int, str]:
    command = [sys.executable, "-c", SCRIPT, *args]
    path = {"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"}
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False, env=path)
    return ended.returncode, ended.stdout or ended.stderr


@pytest.mark.parametrize(("said", "content", "times"), [("again", "paid", 2), ("by hand", "by hand", 1)])
def test_a_person_is_asked_about_a_call_that_was_killed_and_another_process_answers(
    tmp_path: Path, said: str, content: str, times: int
) -> None:
    assert process(tmp_path, "begin") == (-signal.SIGKILL, "")
    ((key, reason, digest),) = json.loads(process(tmp_path, "ask")[1])
    assert (key, reason) == ("/2/0", "unknown outcome")
    assert process(tmp_path, "answer", key, digest, said) == (0, "")
    code, refused = process(tmp_path, "answer", key, digest, said)
    assert (code, "names no open question of run 'r'" in refused) == (1, True)
    assert json.loads(process(tmp_path, "end")[1]) == [content, "found"]
    assert read_marks(tmp_path / "marks") == {"paid 5 for r/2/0": times, "looked up": 1}
