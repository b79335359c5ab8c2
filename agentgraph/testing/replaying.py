"""Takes an exported run again, with the agent of today against the replies and returns of then."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import Any, Generic, overload

import anyio
from typing_extensions import TypedDict, TypeVar, Unpack

from agentgraph.agent import Agent, AgentRunResult, Overrides, RunOptions
from agentgraph.agent.outcomes import answered_by
from agentgraph.graph import RunRecord
from agentgraph.portal import run_sync

from .playing import Player
from .recording import read_recording, read_result

__all__ = ["Replay", "ReplayOptions", "replay", "replay_sync"]

T = TypeVar("T", default=str)
DepsT = TypeVar("DepsT", default=None)
ResultT = TypeVar("ResultT", default=str)

File = str | PathLike[str] | bytes


@dataclass(frozen=True)
class Replay(Generic[ResultT]):
    """A run that was taken again, and did what the recorded one did for as long as that went."""

    recorded: RunRecord
    """The recorded run: its `status`, and its `error` if it failed."""
    first_step: int
    """The step from which it was taken again: the first one after somebody outside had a hand in the run."""
    result: AgentRunResult[ResultT] | None
    """What the agent of today ends with; None if the recording ends before: the run failed in a tool, waits, …"""


class ReplayOptions(TypedDict, Generic[DepsT], total=False):
    """The keywords of `replay`, beside `result_type`."""

    deps: DepsT
    """For prompts and validators; tools are not called."""
    run_id: str
    """Which run of the file: by default the one that was exported; the others are those below it, and those that one of
    them goes on from."""
    system_prompts: bool
    """Whether the system prompts have to be the same; True by default."""


@overload
async def replay(
    file: File, agent: Agent[DepsT, ResultT], *, result_type: None = None, **options: Unpack[ReplayOptions[DepsT]]
) -> Replay[ResultT]: ...
@overload
async def replay(
    file: File, agent: Agent[DepsT, Any], *, result_type: type[T], **options: Unpack[ReplayOptions[DepsT]]
) -> Replay[T]: ...
async def replay(
    file: File, agent: Agent[DepsT, Any], *, result_type: Any = None, **options: Unpack[ReplayOptions[DepsT]]
) -> Any:
    """Take an exported run again: no model is asked and no function tool is called, all they said is in the file.

    What the agent of today brings itself does happen: its prompts, the checks of arguments, its validators. Nothing is
    written anywhere. Options: see `ReplayOptions`.

    Args:
        file: what `export_run` or `agentgraph export` has written: its path, or its bytes.
        agent: as it is today.
        result_type: what the run was given, if it was given one of its own.
        options: see `ReplayOptions`.

    Raises:
        ReplayDiffers: the agent says something else to the model than the recorded run did, or ends otherwise; an
            AssertionError that names the step.
        OSError: the file cannot be read.
        UserError: it is no exported run.
        RunNotFound: it does not hold the run.
        RunNotResumable, DecodeError: the run does not fit the agent, or lacks `deps` or `result_type`.
        Exception: what the agent of today raises, as the recorded run may have done.
    """
    data = file if isinstance(file, bytes) else await anyio.Path(file).read_bytes()
    recording = await read_recording(data, options.get("run_id"))
    player = Player(recording, system_prompts=options.get("system_prompts", True))
    given: Overrides[Any] = {"model": player, "store": recording.store}
    again: RunOptions[Any] = {"resume": recording.fork.run_id, "deps": options.get("deps"), "infer_name": False}
    result = None
    try:
        with agent.override(**given), answered_by(player.answer):
            ended = await _run(agent, player, result_type, again)
        player.finish(await read_result(recording.store, recording.fork.run_id))
        result = ended
    except Exception:
        if player.difference is not None:
            raise player.difference from None
        if not player.over:
            raise
    return Replay(recording.record, recording.fork.seq, result)


async def _run(
    agent: Agent[Any, Any], player: Player, result_type: Any, again: RunOptions[Any]
) -> AgentRunResult[Any] | None:
    async with agent.iter(result_type=result_type, **again) as run:
        player.history = lambda: run.ctx.state.message_history
        async for _ in run:
            pass
    return run.result


@overload
def replay_sync(
    file: File, agent: Agent[DepsT, ResultT], *, result_type: None = None, **options: Unpack[ReplayOptions[DepsT]]
) -> Replay[ResultT]: ...
@overload
def replay_sync(
    file: File, agent: Agent[DepsT, Any], *, result_type: type[T], **options: Unpack[ReplayOptions[DepsT]]
) -> Replay[T]: ...
def replay_sync(
    file: File, agent: Agent[DepsT, Any], *, result_type: Any = None, **options: Unpack[ReplayOptions[DepsT]]
) -> Any:
    """`replay` for sync code."""
    return run_sync(lambda: replay(file, agent, result_type=result_type, **options))
