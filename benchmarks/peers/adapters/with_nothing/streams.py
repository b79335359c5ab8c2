"""The floor: text handed on as it comes; a structured result whose finished items are validated once.

How a structured result is scanned: outside of strings, brackets are counted. An item is whole when its brackets are
closed again; then it is parsed and validated, once. At each delta only the item that is still open is parsed anew.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from cell import Cell, Work
from pydantic import BaseModel, TypeAdapter
from pydantic_core import from_json
from work import pieces, text_deltas

MARKS = re.compile(r'\\.|["{}\[\]]', re.DOTALL)
"""What the scanner stops at."""


class Item(BaseModel):
    id: int = 0
    name: str = ""
    score: float = 0
    tags: list[str] = []


class Result(BaseModel):
    title: str = ""
    items: list[Item] = []


ITEM = TypeAdapter(Item)
HEAD = TypeAdapter(Result)


@dataclass(slots=True)
class Delta:
    index: int
    text: str


def text(size: int) -> Work:
    deltas = text_deltas(size)

    async def source() -> AsyncIterator[str]:
        for each in deltas:
            yield each

    async def events() -> AsyncIterator[Delta]:
        async for each in source():
            yield Delta(0, each)

    async def work() -> int:
        count, seen = 0, list[str]()
        async for event in events():
            seen.append(event.text)
            count += 1
        assert "".join(seen)
        return count

    return work


@dataclass(slots=True)
class Reader:
    """Reads an object whose last field is a list of items."""

    text: str = ""
    place: int = 0
    depth: int = 0
    quoted: bool = False
    start: int = 0
    result: Result = field(default_factory=Result)

    def add(self, delta: str) -> Result:
        """The result so far."""
        self.text += delta
        for mark in MARKS.finditer(self.text, self.place):
            self.meet(mark.group(), mark.start())
        # A backslash at the very end belongs to what comes next.
        self.place = len(self.text) - (self.text[-1] == "\\")
        if self.depth < 3:
            return self.result
        tail = ITEM.validate_python(from_json(self.text[self.start :], allow_partial="trailing-strings"))
        # The list is not copied: whoever wants to keep a partial copies it.
        return self.result.model_copy(update={"items": [*self.result.items[-1:], tail]})

    def meet(self, mark: str, at: int) -> None:
        if mark == '"':
            self.quoted = not self.quoted
        elif self.quoted or mark[0] == "\\":
            return
        elif mark in "{[":
            self.depth += 1
            if self.depth == 2:
                self.result = HEAD.validate_python(from_json(self.text[: at + 1], allow_partial=True))
            elif self.depth == 3 and mark == "{":
                self.start = at
        else:
            if self.depth == 3 and mark == "}":
                self.result.items.append(ITEM.validate_json(self.text[self.start : at + 1]))
            self.depth -= 1


def structured(size: int) -> Work:
    deltas = pieces(size)

    async def source() -> AsyncIterator[str]:
        for each in deltas:
            yield each

    async def work() -> int:
        reader, count = Reader(), 0
        async for each in source():
            reader.add(each)
            count += 1
        assert count == len(deltas)
        return len(reader.result.items)

    return work


CELLS: dict[str, Cell] = {"text": text, "text-cumulative": "the same work as deltas", "structured": structured}
