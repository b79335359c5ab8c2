"""What is to be drawn: shapes and the links between them, which have no place yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

__all__ = ["Chart", "Direction", "Kind", "Link", "Shape", "Tone"]

Direction: TypeAlias = Literal["TB", "LR", "RL", "BT"]
"""Where links lead to: down, right, left or up."""


class Kind(StrEnum):
    """What a shape looks like."""

    BOX = "box"
    START = "start"
    """A dot."""
    END = "end"
    """A dot in a ring."""
    BAR = "bar"
    """Where ways part or come together."""
    TABLE = "table"
    """A box whose rows stand in two columns."""


class Tone(StrEnum):
    """What a shape or a link stands for, told by colour besides its words."""

    PLAIN = "plain"
    QUIET = "quiet"
    """Of less weight."""
    GOOD = "good"
    BUSY = "busy"
    AGAIN = "again"
    """Something was done more than once."""
    WAITING = "waiting"
    BAD = "bad"


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Something with a place of its own."""

    key: str
    """Unique in its chart."""
    text: str = ""
    rows: Sequence[tuple[str, str]] = ()
    """Small lines below the text: what stands left and, in a `TABLE`, right."""
    kind: Kind = Kind.BOX
    tone: Tone = Tone.PLAIN
    css: str = ""
    """Declarations for the shape itself, as Mermaid takes them: `fill:#fdff32,color:black`."""
    note: str = ""
    """Written beside it."""


@dataclass(frozen=True)
class Link:
    """An arrow."""

    tail: str
    """The key of the shape it comes from."""
    head: str
    label: str = ""
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A picture without places."""

    shapes: Sequence[Shape]
    """In the order in which one reads them, as far as the links leave that open."""
    links: Sequence[Link] = ()
    title: str = ""
    summary: str = ""
    """The picture in a sentence, for who cannot see it."""
    direction: Direction = "TB"
