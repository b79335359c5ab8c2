"""How much room text takes, without asking any font.

The widths are upper bounds of those of DejaVu Sans, in hundredths of the font's size; the other fonts that `style.py`
names are narrower. So text fits wherever the picture is shown.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["LABEL", "NAME", "NOTE", "ROW", "TITLE", "Font", "Size", "folded"]

_WIDTHS: Mapping[int, str] = {
    30: "'IJijl",
    35: " ,./:;\\|",
    40: "()-[]ft",
    45: "!r",
    50: '"*_`',
    55: "?csz",
    60: "FLkvxy",
    65: "$0123456789EPSTYabdeghnopqu{}",
    70: "ABCKRVXZ",
    75: "NU",
    80: "&DGHOQ",
    85: "#+<=>^w~",
    90: "M",
    100: "%@Wm",
}
_WIDTH_OF = {letter: width for width, letters in _WIDTHS.items() for letter in letters}
_OTHER = 80
_WIDE = 115
"""Of what East Asian fonts set in a square, and of pictograms."""


@dataclass(frozen=True)
class Size:
    """Of a rectangle, in pixels."""

    width: float
    height: float


@dataclass(frozen=True)
class Font:
    """A size of letters."""

    size: float
    leading: float
    """From one line to the next."""
    stretch: float = 1.0
    """What a bold one is wider by."""

    def width(self, text: str) -> float:
        """Of one line."""
        return sum(_width(letter) for letter in text) * self.size * self.stretch / 100

    def block(self, lines: Sequence[str]) -> Size:
        """Of several lines, one below the other."""
        return Size(max((self.width(line) for line in lines), default=0.0), self.leading * len(lines))


TITLE = Font(15, 22, stretch=1.14)
NAME = Font(13, 18)
ROW = Font(11, 15)
LABEL = Font(11, 14)
NOTE = Font(11, 15)


def folded(text: str, letters: int) -> list[str]:
    """Text in lines of at most so many letters, its own line breaks kept; words that are longer are cut.

    The lines of a paragraph are about as long as each other.
    """
    lines: list[str] = []
    for paragraph in text.strip().splitlines():
        width = letters
        found = textwrap.wrap(paragraph, width)
        while len(found) > 1 and len(narrower := textwrap.wrap(paragraph, width - 1)) == len(found):
            width, found = width - 1, narrower
        lines += found or [""]
    return lines


def _width(letter: str) -> int:
    known = _WIDTH_OF.get(letter)
    if known is not None:
        return known
    if unicodedata.combining(letter):
        return 0
    return _WIDE if unicodedata.east_asian_width(letter) in "WF" else _OTHER
