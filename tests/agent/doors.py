"""The ways to run an agent, each told as what it led to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from typing import Any, cast

from anyio import to_thread

from agentgraph import (
    Agent,
    AgentRun,
    End,
    ModelRetry,
    StreamedRunResult,
    Usage,
    capture_run_messages,
)
from agentgraph.agent import RunOptions
from agentgraph.graph import BaseNode
from agentgraph.messages import ModelMessage, ModelMessagesTypeAdapter

AnyAgent = Agent[None, Any]  # Any: whatever the script's agent ends with
Options = RunOptions[None]


@dataclass
class Outcome:
    """What can be compared of a run, whichever way it was run."""

    messages: object
    result: object
    error: tuple[str, str] | None
    usage: Usage

    @property
    def waits(self) -> bool:
        """Whether the run waits for answers."""
        return self.error is not None and self.error[0] == "RunWaiting"


def plain(messages: list[ModelMessage]) -> object:
    """Messages as JSON without timestamps."""
    return _without_times(ModelMessagesTypeAdapter.dump_python(messages, mode="json"))


def _without_times(value: object) -> object:
    match value:
        case dict():
            items = cast("dict[str, object]", value).items()  # JSON
            return {key: _without_times(each) for key, each in items if key != "timestamp"}
        case list():
            return [_without_times(each) for each in cast("list[object]", value)]  # JSON
        case _:
            return value


Door = Callable[[AnyAgent, str | None, Options], Awaitable[Any]]


async def run(agent: AnyAgent, prompt: str | None, options: Options) -> Any:
    return (await agent.run(prompt, **options)).data


async def run_sync(agent: AnyAgent, prompt: str | None, options: Options) -> Any:
    return (await to_thread.run_sync(lambda: agent.run_sync(prompt, **options))).data


async def get_data(agent: AnyAgent, prompt: str | None, options: Options) -> Any:
    async with agent.run_stream(prompt, **options) as response:
        return await response.get_data()


async def stream(agent: AnyAgent, prompt: str | None, options: Options) -> Any:
    async with agent.run_stream(prompt, **options) as response:
        *_, last = [item async for item in response.stream(debounce_by=None)]
        assert response.is_complete
    return last


async def stream_slowly(agent: AnyAgent, prompt: str | None, options: Options) -> Any:
    async with agent.run_stream(prompt, **options) as response:
        *_, last = [item async for item in response.stream()]
    return last


async def stream_structured(agent: AnyAgent, prompt: str | None, options: Options) -> Any:
    async with agent.run_stream(prompt, **options) as response:
        seen = [is_last async for _, is_last in response.stream_structured(debounce_by=None)]
        assert (seen.count(True), seen[-1]) == (1, True)
        return await response.get_data()


async def stream_text(agent: AnyAgent, prompt: str | None, options: Options) -> Any:
    async with agent.run_stream(prompt, **options) as response:
        if _takes_text(agent):
            async for _ in response.stream_text(debounce_by=None):
                pass
            assert response.is_complete
        return await response.get_data()


async def stream_deltas(agent: AnyAgent, prompt: str | None, options: Options) -> Any:
    async with agent.run_stream(prompt, **options) as response:
        if _takes_text(agent):
            _ = [delta async for delta in response.stream_text(delta=True)]
        return await response.get_data()


async def left_at_once(agent: AnyAgent, prompt: str | None, options: Options) -> Any:
    async with agent.run_stream(prompt, **options) as response:
        pass
    return await response.get_data()


async def left_early(agent: AnyAgent, prompt: str | None, options: Options) -> Any:
    async with agent.run_stream(prompt, **options) as response:
        await _read_one(response)
    assert response.is_complete
    return await response.get_data()


async def _read_one(response: StreamedRunResult[None, Any]) -> None:
    async with aclosing(response.stream_structured(debounce_by=None)) as replies:
        async for _ in replies:
            return


async def iterate(agent: AnyAgent, prompt: str | None, options: Options) -> Any:
    async with agent.iter(prompt, **options) as run:
        async for _ in run:
            pass
    assert run.result is not None
    return run.result.data


async def step(agent: AnyAgent, prompt: str | None, options: Options) -> Any:
    async with agent.iter(prompt, **options) as run:
        node = run.next_node
        while not isinstance(node, End):
            node = await run.next(node)
    return node.data.data


async def stream_nodes(agent: AnyAgent, prompt: str | None, options: Options) -> Any:
    return await _through_nodes(agent.iter(prompt, **options), _read_all)


async def leave_nodes(agent: AnyAgent, prompt: str | None, options: Options) -> Any:
    return await _through_nodes(agent.iter(prompt, **options), _read_first)


AnyNode = BaseNode[Any, Any, Any] | End[Any]  # Any: as above
Read = Callable[[AsyncIterator[object]], Awaitable[None]]


async def _through_nodes(opened: AbstractAsyncContextManager[AgentRun[None, Any]], read: Read) -> Any:
    async with opened as run:
        async for node in run:
            await _through(run, node, read)
    assert run.result is not None
    return run.result.data


async def _through(run: AgentRun[None, Any], node: AnyNode, read: Read) -> None:
    if Agent.is_model_request_node(node):
        async with node.stream(run.ctx) as replying:
            await read(replying)
    elif Agent.is_handle_response_node(node):
        async with node.stream(run.ctx) as handling:
            await read(aiter(handling))


async def _read_all(events: AsyncIterator[object]) -> None:
    async for _ in events:
        pass


async def _read_first(events: AsyncIterator[object]) -> None:
    async for _ in events:
        return


DOORS: dict[str, Door] = {
    door.__name__: door
    for door in (
        run,
        run_sync,
        get_data,
        stream,
        stream_slowly,
        stream_structured,
        stream_text,
        stream_deltas,
        left_at_once,
        left_early,
        iterate,
        step,
        stream_nodes,
        leave_nodes,
    )
}


async def outcome(door: Door, agent: AnyAgent, prompt: str | None, **options: Any) -> Outcome:  # Any: RunOptions
    """Go through the door."""
    usage = Usage()
    given: Options = {**options, "usage": usage}  # type: ignore[typeddict-item]  # what a test gives is what it means
    result: Any = None
    failed: tuple[str, str] | None = None
    with capture_run_messages() as messages:
        try:
            result = await door(agent, prompt, given)
        except (ModelRetry, RuntimeError, ValueError) as error:
            failed = (type(error).__name__, str(error))
    if failed is not None and failed[0] == "ValueError":
        usage = Usage()  # a tool raised: whether the calls beside it had ended, and so count, is nobody's promise
    return Outcome(plain(messages), result, failed, usage)


def _takes_text(agent: AnyAgent) -> bool:
    return agent.result_type is str or "str |" in str(agent.result_type)
