"""Where the open end of a JSON text stands: in which containers, and in which part of the innermost."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from .partial_slots import IrregularError, Key, Piece, Slot
from .partial_types import Plan, Plans

__all__ = ["Element", "Frame", "Scan"]

DEPTH = 60
"""Containers inside of each other; pydantic refuses some more than these, and what is deeper is left to it."""

SPACE = re.compile(r"[ \t\r\n]*+")
IN_STRING = re.compile(r'(?:[^"\\]++|\\.)*+', re.DOTALL)
NO_BRACKET = re.compile(r'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
SCALAR = re.compile(r"[A-Za-z0-9+.\-]*+")
KEY = re.compile(r'("(?:[^"\\]++|\\.)*+")[ \t\r\n]*+:[ \t\r\n]*+(?=[^ \t\r\n])', re.DOTALL)
BEGUN_KEY = re.compile(r'"(?:[^"\\]++|\\.)*+(?:\\?|"[ \t\r\n]*+:?[ \t\r\n]*+)', re.DOTALL)
NO_KEY = Key("", "")


@dataclass(slots=True, eq=False)
class Element:
    """One part of a container."""

    slot: Slot
    key: Key
    first: str
    """Its first character, which says what it is."""
    start: int
    depth: int = 0
    """Brackets of it that are open."""
    in_string: bool = False
    text: str | None = None
    """The whole of it, once it has ended."""
    inside: Frame | None = None
    """What it is put together from, if it is."""
    is_whole: bool = False
    """Whether it cannot be put together."""
    strict: Piece | None = None

    def is_there(self, tail: str) -> bool:
        """Whether it has come so far that it is read; of numbers and the like there may be too little."""
        return self.first in '"[{' or self.text is not None or bool(from_json(f"[{tail}", allow_partial=True))

    def settled(self) -> Piece:
        """What it adds to its container now that it is not the last part any more."""
        if self.strict is None:
            self.strict = self.read("", partial=False)
        return self.strict

    def check(self, tail: str) -> None:
        """Raise `IrregularError` if it is no beginning of JSON, for who does not read it."""
        if self.inside is None:
            _check(f"[{tail if self.text is None else self.text}", partial=True)
        else:
            self.inside.check(tail)

    def check_end(self) -> None:
        """Raise `IrregularError` if it has ended and is no JSON, for who does not read it."""
        if self.inside is None:
            _check(f"[{self.text}]", partial=False)

    def read(self, tail: str, *, partial: bool) -> Piece:
        """What it adds as far as it has come; `tail` is the text of the innermost open part."""
        if self.inside is None:
            closed = self.text is not None
            return self.slot.read(
                self.key, self.text if self.text is not None else tail, closed=closed, partial=partial
            )
        try:
            return self.slot.piece(self.key, self.inside.value(tail, partial=partial))
        except ValidationError:
            if partial:
                return []
            raise


@dataclass(slots=True, eq=False)
class Frame:
    """A container that is put together."""

    plan: Plan
    done: Piece = field(init=False)
    """What its parts have added, but the last one."""
    keys: set[str] = field(default_factory=set[str])
    last: Element | None = None
    """The newest part that has ended."""
    open: Element | None = None
    """The part that has not."""
    begun: bool = False
    comma: bool = False
    problem: Exception | None = None
    """What was wrong with a part that has ended: it stays wrong."""

    def __post_init__(self) -> None:
        self.done = self.plan.empty.copy()

    def value(self, tail: str, *, partial: bool) -> Any:  # Any: a value of the plan's type
        """The container as far as it has come."""
        if self.problem is not None:
            self.check(tail)
            raise self.problem
        partial = partial and self.plan.partial
        pieces: Sequence[Piece]
        if self.open is not None and self.open.is_there(tail):
            before = [] if self.last is None else [self.last.settled()]
            pieces = [*before, self.open.read(tail, partial=partial)]
        else:
            pieces = [] if self.last is None else [self.last.read("", partial=partial)]
        return self.plan.whole(self.done, pieces)

    def check(self, tail: str) -> None:
        """Raise `IrregularError` if its newest parts are no JSON."""
        for part in (self.last, self.open):
            if part is not None:
                part.check(tail)

    def settle(self) -> None:
        """Take in the last part, which is not the last any more."""
        if self.last is None:
            return
        if self.problem is not None:
            self.last.check_end()
            return
        try:
            piece = self.last.settled()
        except IrregularError:
            raise
        except Exception as error:  # noqa: BLE001 - it is raised whenever the container is read
            self.problem = error
            return
        self.last = None
        if isinstance(self.done, list):
            self.done.extend(piece)
        else:
            self.done.update(piece)


class Scan:
    """Takes in the text of a container, from behind its first bracket."""

    def __init__(self, root: Frame, plans: Plans, grain: int) -> None:
        self._root, self._plans, self._grain = root, plans, grain
        self._frames = [root]
        self._text = ""
        self._at = 0

    def feed(self, text: str) -> None:
        """Take in the next piece.

        Raises:
            IrregularError: it is no JSON, or JSON that is better read as a whole.
        """
        if not self._frames:  # what comes after the value is not looked at
            return
        self._text += text
        while self._frames and self._at < len(self._text) and self._step(self._frames[-1]):
            pass
        self._trim()

    def value(self) -> Any:  # Any: a value of the root's type
        """The value as far as it has come."""
        open_part = self._frames[-1].open if self._frames else None
        return self._root.value(self._text if open_part is not None else "", partial=True)

    def _trim(self) -> None:
        part = self._frames[-1].open if self._frames else None
        keep = self._at if part is None else part.start
        self._text, self._at = self._text[keep:], self._at - keep
        if part is not None:
            part.start = 0

    def _step(self, frame: Frame) -> bool:
        """Take one step: whether there may be another one."""
        part = frame.open
        if part is None:
            return self._between(frame)
        if self._ends(part):
            part.text = self._text[part.start : self._at]
            self._close(frame)
            return True
        return self._enter(part)

    def _ends(self, part: Element) -> bool:
        """Walk through a part: whether its end has come."""
        if part.first not in '"[{':
            self._at = _end(SCALAR, self._text, self._at)
            return self._at < len(self._text)
        while self._at < len(self._text):
            if part.in_string:
                self._at = _end(IN_STRING, self._text, self._at)
                if self._text[self._at : self._at + 1] != '"':
                    return False
                self._at, part.in_string = self._at + 1, False
            else:
                self._at = _end(NO_BRACKET, self._text, self._at)
                self._bracket(part, self._text[self._at : self._at + 1])
            if not part.depth and not part.in_string:
                return True
        return False

    def _bracket(self, part: Element, found: str) -> None:
        if not found:
            return
        self._at += 1
        part.in_string = found == '"'
        part.depth += 1 if found in "[{" else -1 if found in "]}" else 0
        if part.depth + len(self._frames) > DEPTH:
            raise IrregularError

    def _enter(self, part: Element) -> bool:
        """Put a part together from parts of its own, once it is long."""
        if part.is_whole or part.first not in "[{" or len(self._text) - part.start <= self._grain:
            return False
        plan = self._plans.find(part.slot.where, self._text[part.start :]) if part.slot.holds_plans else None
        if plan is None:
            part.is_whole = True
            return False
        part.inside = Frame(plan)
        self._frames.append(part.inside)
        self._at = part.start + 1
        return True

    def _close(self, frame: Frame) -> None:
        frame.settle()
        frame.last, frame.open = frame.open, None

    def _between(self, frame: Frame) -> bool:
        """Go on between the parts of a container: to the next one, or to the end."""
        self._at = _end(SPACE, self._text, self._at)
        found = self._text[self._at : self._at + 1]
        if not found:
            return False
        is_list = isinstance(frame.done, list)
        if found == ("]" if is_list else "}") and not frame.comma:
            self._at += 1
            self._leave()
            return True
        if frame.begun and not frame.comma:
            if found != ",":
                raise IrregularError
            self._at, frame.comma = self._at + 1, True
            return True
        return self._begin(frame, NO_KEY) if is_list else self._begin_member(frame)

    def _leave(self) -> None:
        self._frames.pop()
        if self._frames:
            outer = self._frames[-1]
            assert outer.open is not None  # the container that ends is in it
            outer.open.text = ""
            self._close(outer)

    def _begin_member(self, frame: Frame) -> bool:
        found = KEY.match(self._text, self._at)
        begun = BEGUN_KEY.fullmatch(self._text, self._at) if found is None else None
        if found is None and begun is None:
            raise IrregularError
        try:
            text = self._text[self._at :] if found is None else found[1]
            key = Key(text, from_json(text, allow_partial="trailing-strings"))
        except ValueError as error:
            raise IrregularError from error
        if found is None:
            return False
        if key.name in frame.keys:  # the later one counts, wherever it is
            raise IrregularError
        frame.keys.add(key.name)
        self._at = found.end()
        return self._begin(frame, key)

    def _begin(self, frame: Frame, key: Key) -> bool:
        first = self._text[self._at]
        if first not in '"[{-' and not first.isalnum():
            raise IrregularError
        if first in '"[{':  # it is there for certain
            frame.settle()
        is_text = first == '"'
        frame.open = Element(frame.plan.slot(key.name), key, first, self._at, first in "[{", is_text)
        frame.begun, frame.comma = True, False
        self._at += first in '"[{'
        return True


def _check(text: str, *, partial: bool) -> None:
    try:
        from_json(text, allow_partial="trailing-strings" if partial else "off")
    except ValueError as error:
        raise IrregularError from error


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    assert found is not None  # each of them matches an empty text
    return found.end()
