"""The work that is timed: an agent whose model calls a tool a given number of times, then answers."""

from __future__ import annotations

import anyio

from agentgraph import Agent
from agentgraph.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from agentgraph.model import Model, ModelRequestParameters
from agentgraph.settings import ModelSettings
from agentgraph.usage import Usage, UsageLimits

__all__ = ["UNLIMITED", "LoopingModel", "looping_agent", "tool_text"]

UNLIMITED = UsageLimits(request_limit=None)
WORDS = 'the quick brown fox, "quoted" and escaped; '


def tool_text(size: int) -> str:
    """So many characters that a tool returns."""
    return (WORDS * (size // len(WORDS) + 1))[:size]


class LoopingModel(Model):
    """Calls the tool a number of times, then answers; does nothing else, so that what is timed is the library.

    With `wait`, each reply takes so many seconds, as one of a service does.
    """

    def __init__(self, turns: int, wait: float = 0) -> None:
        self._turns, self._wait = turns, wait

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> tuple[ModelResponse, Usage]:
        """The next call, or the answer."""
        if self._wait:
            await anyio.sleep(self._wait)
        done = (len(messages) - 1) // 2
        if done < self._turns:
            part = ToolCallPart("lookup", f'{{"n": {done}}}', f"call-{done}")
            return ModelResponse([part]), Usage(0, 50, 10, 60)
        return ModelResponse([TextPart("done")]), Usage(0, 50, 10, 60)

    @property
    def model_name(self) -> str:
        """A name."""
        return "looping"

    @property
    def system(self) -> str:
        """No service."""
        return "bench"


def looping_agent(turns: int, size: int, wait: float = 0) -> Agent[None, str]:
    """An agent that calls its tool `turns` times, one a turn, each returning `size` characters; see `LoopingModel`."""
    text = tool_text(size)

    agent = Agent(LoopingModel(turns, wait), name="bench")

    @agent.tool_plain
    async def lookup(n: int) -> str:
        """Look something up."""
        del n
        return text

    return agent
