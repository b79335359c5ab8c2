"""langgraph: `stream_mode="messages"`; a structured result by an output parser behind the model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from cell import Cell, Work
from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.output_parsers import PydanticOutputParser
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from pydantic import BaseModel
from work import PROMPT, pieces, text_deltas


class Item(BaseModel):
    id: int = 0
    name: str = ""
    score: float = 0
    tags: list[str] = []


class Result(BaseModel):
    title: str = ""
    items: list[Item] = []


class Stub(BaseChatModel):
    deltas: list[str]

    @property
    def _llm_type(self) -> str:
        return "stub"

    def _generate(self, *arguments: Any, **options: Any) -> ChatResult:
        raise NotImplementedError

    async def _astream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **options: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for delta in self.deltas:
            chunk = ChatGenerationChunk(message=AIMessageChunk(delta))
            if run_manager is not None:
                await run_manager.on_llm_new_token(delta, chunk=chunk)
            yield chunk


def text(size: int) -> Work:
    agent = create_agent(Stub(deltas=text_deltas(size)), [])
    given = {"messages": [{"role": "user", "content": PROMPT}]}

    async def work() -> int:
        count = 0
        async for message, _ in agent.astream(given, stream_mode="messages"):
            count += bool(message.content)
        return count

    return work


def structured(size: int) -> Work:
    deltas = pieces(size)
    chain = Stub(deltas=deltas) | PydanticOutputParser(pydantic_object=Result)

    async def work() -> int:
        count, partial = 0, Result()
        async for partial in chain.astream(PROMPT):
            count += 1
        assert count >= len(deltas) * 0.9  # a delta that changes no value is left out
        return len(partial.items)

    return work


CELLS: dict[str, Cell] = {"text": text, "text-cumulative": "deltas alone", "structured": structured}
