r"""Texts that a regular expression matches.

Understood: literals, escapes, classes, `.`, groups, alternatives, quantifiers, anchors. Look-arounds are skipped and
backreferences match nothing here; what comes out is tried with `re`, so a text that does not match is never handed
out where `re` understands the pattern. (pydantic's own dialect has some constructs that `re` lacks, such as `\p{L}`:
there the text is a good guess.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from string import ascii_lowercase, ascii_uppercase, digits, punctuation

__all__ = ["matching"]

CANDIDATES = ("0", "1", "a", "A", "aa", "a0", "0.0", "a@a.aa", "a-a", "2024-01-01")
PRINTABLE = ascii_lowercase + digits + ascii_uppercase + punctuation + " "
CLASSES = {"d": digits, "w": ascii_lowercase + digits + ascii_uppercase + "_", "s": " \t"}
OTHERS = {"D": ascii_lowercase, "W": "-+ ", "S": ascii_lowercase}
CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}
CATEGORIES = {"Lu": ascii_uppercase, "N": digits, "Nd": digits, "P": punctuation}
EMPTY = "AZzbB123456789"
"""Escapes that stand for a place or a backreference."""
MOST_EXTRA = 64


def matching(pattern: str, shortest: int, longest: int | None, seed: int) -> str | None:
    """A text of that length, in characters, in which `pattern` is found; None if none was thought of."""
    try:
        found = re.compile(pattern).search
    except re.error:
        found = None
    for text in _texts(pattern, shortest, seed):
        if (found is None or found(text)) and len(text) >= shortest and (longest is None or len(text) <= longest):
            return text
    return None


def _texts(pattern: str, shortest: int, seed: int) -> Iterator[str]:
    for shift in dict.fromkeys((seed, 0, 1)):
        for extra in range(min(shortest, MOST_EXTRA) + 2):
            text = _Sampler(pattern, shift, extra).sample()
            yield text
            yield text.ljust(shortest, "a")
            yield text.ljust(shortest)
    yield _Sampler(pattern, 0, shortest).sample()
    for candidate in CANDIDATES:
        yield candidate.ljust(shortest, candidate[-1])


class _Sampler:
    """Reads a pattern once and writes a text on the way; `extra` is how often optional repetitions are taken."""

    def __init__(self, pattern: str, seed: int, extra: int) -> None:
        self._pattern = pattern
        self._seed = seed
        self._extra = extra
        self._at = 0

    def sample(self) -> str:
        text = self._alternatives()
        while self._take(")"):  # one too many: `re` will say so
            text += self._alternatives()
        return text

    def _alternatives(self) -> str:
        branches = [self._sequence()]
        while self._take("|"):
            branches.append(self._sequence())
        return branches[self._seed % len(branches)]

    def _sequence(self) -> str:
        text = ""
        while self._peek() not in {"", "|", ")"}:
            atom = self._atom()
            text += atom * self._times()
        return text

    def _atom(self) -> str:
        char = self._next()
        match char:
            case "^" | "$":
                return ""
            case ".":
                return self._pick(ascii_lowercase)
            case "(":
                return self._group()
            case "[":
                return self._class()
            case "\\":
                return self._pick(self._escape())
            case _:
                return char

    def _group(self) -> str:
        around = False
        if self._take("?"):
            head = re.compile(r"#[^)]*|P?<[^=!>][^>]*>|P=[^)]*|<?[=!]|>|[a-zA-Z-]*:?").match(self._pattern, self._at)
            opening = head.group() if head else ""
            self._at += len(opening)
            around = opening in {"=", "!", "<=", "<!"}
        text = self._alternatives()
        self._take(")")
        return "" if around else text

    def _class(self) -> str:
        negated = self._take("^")
        members = self._range()  # a bracket that comes first is a member
        while self._peek() not in {"", "]"}:
            members += self._range()
        self._take("]")
        if negated:
            members = "".join(char for char in PRINTABLE if char not in members)
        return self._pick(members)

    def _range(self) -> str:
        first = self._member()
        if len(first) != 1 or self._peek() != "-" or self._pattern[self._at + 1 : self._at + 2] in {"]", ""}:
            return first
        self._next()
        last = self._member()
        return "".join(map(chr, range(ord(first), ord(last[:1] or first) + 1)))

    def _member(self) -> str:
        char = self._next()
        return self._escape() if char == "\\" else char

    def _escape(self) -> str:
        """The characters that an escape stands for, read behind its backslash."""
        char = self._next()
        if char in "xuU":
            width = {"x": 2, "u": 4, "U": 8}[char]
            code = self._pattern[self._at : self._at + width]
            self._at += width
            return chr(int(code, 16)) if re.fullmatch(r"[0-9a-fA-F]+", code) else ""
        if char in "pP" and self._take("{"):
            start, self._at = self._at, self._pattern.find("}", self._at) + 1 or len(self._pattern)
            return CATEGORIES.get(self._pattern[start : self._at - 1], ascii_lowercase)
        known = CLASSES.get(char) or OTHERS.get(char) or CONTROLS.get(char)
        return known or ("" if char in EMPTY else char)

    def _times(self) -> int:
        """How often to repeat the atom that was just read."""
        least, most = 1, 1.0
        counts = re.compile(r"\{(\d*)(,?)(\d*)\}").match(self._pattern, self._at)
        if self._peek() in {"*", "+", "?"}:
            sign = self._next()
            least, most = int(sign == "+"), 1 if sign == "?" else float("inf")
        elif counts and counts.group() not in {"{}", "{,}"}:
            self._at = counts.end()
            least = int(counts[1] or 0)
            most = float(counts[3] or "inf") if counts[2] else least
        else:
            return 1
        if self._peek() in {"?", "+"}:  # lazy or possessive: the same texts
            self._next()
        return int(min(least + self._extra, most))

    def _pick(self, members: str) -> str:
        return members[self._seed % len(members)] if members else ""

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _next(self) -> str:
        char = self._peek()
        self._at += 1
        return char

    def _take(self, char: str) -> bool:
        taken = self._peek() == char
        self._at += taken
        return taken
