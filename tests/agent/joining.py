"""What somebody has who joins all that he is told of an agent's run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, assert_never

from agentgraph.agent import AgentRunEvent, CallAnswered, MessageAdded, MessagesCut, agent_graph
from agentgraph.graph import (
    Emitted,
    Followed,
    RunEnded,
    Status,
    StepEnded,
    StepStarted,
    Store,
    TextAdded,
    lineage,
)
from agentgraph.messages import ModelMessage, ModelRequest, ModelResponse, TextPart


@dataclass
class Joined:
    """Joins events, dropping what an earlier attempt of a step has told."""

    messages: list[ModelMessage] = field(default_factory=list[ModelMessage])
    texts: dict[int, str] = field(default_factory=dict[int, str])
    answers: dict[int, object] = field(default_factory=dict[int, object])
    expected: list[object] = field(default_factory=list[object])
    """The answers that the next request has to hold."""
    node: str = ""
    ended: list[Status] = field(default_factory=list[Status])

    async def add(self, events: AsyncIterator[Followed[AgentRunEvent]]) -> str | None:
        """Join them all; returns the last offset."""
        offset = None
        async for followed in events:
            offset = followed.offset
            self.hear(followed.event)
        return offset

    def hear(self, event: AgentRunEvent) -> None:
        match event:
            case StepStarted(node=node):
                self.node, self.texts, self.answers = node, {}, {}
            case TextAdded(part=part, text=text):
                self.texts[part] = self.texts.get(part, "") + text
            case RunEnded(status=status):
                self.ended.append(status)
            case Emitted():
                pass
            case _:
                self._take(event)

    def _take(self, event: MessageAdded | MessagesCut | CallAnswered | StepEnded) -> None:
        match event:
            case CallAnswered(call=call, answer=answer):
                assert call not in self.answers
                self.answers[call] = answer
            case MessageAdded(index=index, message=message):
                self._put(index, message)
            case MessagesCut(length=length):
                del self.messages[length:]
            case StepEnded(outcome=outcome):
                self.expected = [*dict(sorted(self.answers.items())).values()] if outcome == "ModelRequestNode" else []
            case _:
                assert_never(event)

    def _put(self, index: int, message: ModelMessage) -> None:
        if self.node == "ModelRequestNode" and isinstance(message, ModelResponse):
            said = {i: part.content for i, part in enumerate(message.parts) if isinstance(part, TextPart)}
            assert self.texts == {i: text for i, text in said.items() if text}
        if isinstance(message, ModelRequest) and self.expected:
            assert message.parts == self.expected
            self.expected = []
        self.messages[index : index + 1] = [message]


async def stored_messages(store: Store, run_id: str) -> list[ModelMessage]:
    """The conversation as the store has it."""
    run = await store.load(run_id)
    codec = agent_graph(Any).codec
    kept: list[ModelMessage] = codec.follow(run_id, await lineage(store, run), run.state)[0].message_history
    return kept
