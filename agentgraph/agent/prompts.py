"""System prompts: fixed texts, and functions that are asked when a run begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from agentgraph.calling import Settled, SystemPromptFunc, settle, takes_context
from agentgraph.context import RunContext
from agentgraph.messages import ModelMessage, ModelRequest, SystemPromptPart

__all__ = ["PromptFunction", "SystemPrompts"]


@dataclass(frozen=True)
class PromptFunction:
    """A function that makes a system prompt."""

    settled: Settled[Any]  # Any: a union of sync and async functions, whose common type checkers cannot name
    ref: str
    """By which a part remembers the function that made it."""
    dynamic: bool
    """Whether it is asked again when a run goes on from a history."""

    @classmethod
    def of(cls, function: SystemPromptFunc[Any], *, dynamic: bool) -> PromptFunction:
        """Settle how `function` is called."""
        name: str = getattr(function, "__qualname__", type(function).__qualname__)
        return cls(settle(function, takes_ctx=takes_context(function, besides=0)), name, dynamic)

    async def part(self, ctx: RunContext[Any]) -> SystemPromptPart:
        """Ask the function."""
        return SystemPromptPart(await self.settled(ctx), dynamic_ref=self.ref if self.dynamic else None)


@dataclass(frozen=True)
class SystemPrompts:
    """The system prompts of an agent."""

    texts: Sequence[str] = ()
    functions: list[PromptFunction] = field(default_factory=list[PromptFunction])
    """More may come between two runs."""

    def fixed(self) -> list[SystemPromptPart]:
        """What a new conversation begins with."""
        return [SystemPromptPart(text) for text in self.texts]

    async def asked(self, ctx: RunContext[Any]) -> list[SystemPromptPart]:
        """What comes after that: what each function says."""
        return [await each.part(ctx) for each in self.functions]

    async def refreshed(self, history: Sequence[ModelMessage], ctx: RunContext[Any]) -> list[tuple[int, ModelMessage]]:
        """The messages of `history` that hold dynamic prompts, by index, with those parts made anew in their places."""
        dynamic = {each.ref: each for each in self.functions if each.dynamic}
        if not dynamic:
            return []
        fresh = [(index, await _refresh(message, dynamic, ctx)) for index, message in enumerate(history)]
        return [(index, message) for index, message in fresh if message is not history[index]]


async def _refresh(message: ModelMessage, dynamic: Mapping[str, PromptFunction], ctx: RunContext[Any]) -> ModelMessage:
    if not isinstance(message, ModelRequest):
        return message
    stale = {
        index: dynamic[part.dynamic_ref]
        for index, part in enumerate(message.parts)
        if isinstance(part, SystemPromptPart) and part.dynamic_ref is not None and part.dynamic_ref in dynamic
    }
    if not stale:
        return message
    parts = list(message.parts)
    for index, function in stale.items():
        parts[index] = await function.part(ctx)
    return replace(message, parts=parts)
