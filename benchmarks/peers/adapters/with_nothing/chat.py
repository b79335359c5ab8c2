"""The floor: httpx and the JSON of the protocol."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TypedDict

import httpx
from cell import Cell, Served, Work
from work import PROMPT


class Choice(TypedDict):
    delta: dict[str, str]


BODY = {"model": "bench", "messages": [{"role": "user", "content": PROMPT}]}


def text_of(line: str) -> str:
    """The text that one line of the stream brings."""
    choices: list[Choice] = json.loads(line[6:])["choices"] if line.startswith("data: {") else []
    return choices[0]["delta"].get("content", "") if choices else ""


@asynccontextmanager
async def plain(size: int, url: str) -> AsyncGenerator[Work]:
    async with httpx.AsyncClient(base_url=url) as client:

        async def work() -> int:
            count = 0
            for _ in range(size):
                reply = (await client.post("/chat/completions", json=BODY)).raise_for_status().json()
                count += reply["choices"][0]["message"]["role"] == "assistant"
            return count

        yield work


@asynccontextmanager
async def streamed(size: int, url: str) -> AsyncGenerator[Work]:
    async with httpx.AsyncClient(base_url=url) as client:

        async def work() -> int:
            async with client.stream("POST", "/chat/completions", json=BODY | {"stream": True}) as response:
                return sum([text_of(line) != "" async for line in response.raise_for_status().aiter_lines()])

        yield work


CELLS: dict[str, Cell] = {"plain": Served(plain), "streamed": Served(streamed)}
