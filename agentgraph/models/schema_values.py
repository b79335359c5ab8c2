"""Made-up numbers and texts that keep within the bounds of a JSON schema."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from uuid import UUID

from agentgraph.exceptions import UserError

from .schema_pattern import matching
from .schema_refs import Schema

__all__ = ["integer", "number", "text"]

LETTERS = 26
SHARES = 97
"""Numbers to choose from between two bounds that are less than 1 apart."""
FIRST_DAY = date(2024, 1, 1)
FIRST_MOMENT = datetime(2024, 1, 1, tzinfo=UTC)
NIL = UUID(int=0)


def letters(seed: int) -> str:
    """`a`, `b`, ... `z`, `ba`, ...: another text for each seed."""
    high, low = divmod(seed, LETTERS)
    return (letters(high) if high else "") + chr(ord("a") + low)


def _uuid(version: int) -> Callable[[int], str]:
    # The version and variant bits by hand: `UUID(version=...)` knows but five of them.
    return lambda seed: str(UUID(int=seed | version << 76 | 8 << 60))


FORMATS: Mapping[str, Callable[[int], str]] = {
    "date": lambda seed: str(FIRST_DAY + timedelta(days=seed)),
    "date-time": lambda seed: (FIRST_MOMENT + timedelta(days=seed)).isoformat().replace("+00:00", "Z"),
    "time": lambda seed: (FIRST_MOMENT + timedelta(seconds=seed)).time().isoformat(),
    "duration": lambda seed: f"PT{seed}S",
    "uuid": lambda seed: str(UUID(int=NIL.int + seed)),
    **{f"uuid{version}": _uuid(version) for version in range(1, 9)},
    "email": lambda seed: f"{letters(seed)}@example.com",
    "idn-email": lambda seed: f"{letters(seed)}@example.com",
    "name-email": lambda seed: f"{letters(seed)} <{letters(seed)}@example.com>",
    "hostname": lambda seed: f"{letters(seed)}.example.com",
    "uri": lambda seed: f"https://example.com/{letters(seed)}",
    "url": lambda seed: f"https://example.com/{letters(seed)}",
    "multi-host-uri": lambda seed: f"postgres://user@localhost:5432/{letters(seed)}",
    "ipv4": lambda seed: str(IPv4Address(seed)),
    "ipv6": lambda seed: str(IPv6Address(seed)),
    "ipvanyaddress": lambda seed: str(IPv4Address(seed)),
    "ipv4network": lambda seed: f"{IPv4Address(seed)}/32",
    "ipv6network": lambda seed: f"{IPv6Address(seed)}/128",
    "ipvanynetwork": lambda seed: f"{IPv4Address(seed)}/32",
    "ipv4interface": lambda seed: f"{IPv4Address(seed)}/32",
    "ipv6interface": lambda seed: f"{IPv6Address(seed)}/128",
    "ipvanyinterface": lambda seed: f"{IPv4Address(seed)}/32",
    "color": lambda seed: f"#{seed % 0x1000000:06x}",
    "base64": lambda seed: "AAA" + chr(ord("A") + seed % LETTERS),
    "base64url": lambda seed: "AAA" + chr(ord("A") + seed % LETTERS),
    "file-path": lambda _: sys.executable,
    "directory-path": lambda _: ".",
}
"""Texts by format; of a format that is not here any text is taken to be one (`password`, `binary`, `path`, `regex`)."""


def integer(schema: Schema, seed: int) -> int:
    """An integer within the bounds: 0 if it is, and others for other seeds as long as there are any."""
    step = Decimal(str(schema.get("multipleOf", 1)))
    step *= step.as_integer_ratio()[1]  # what is a multiple and whole is a multiple of this
    return int(_multiple(schema, step, seed))


def number(schema: Schema, seed: int) -> float:
    """A number within the bounds: 0 if it is, and others for other seeds as long as there are any."""
    if "multipleOf" in schema:
        return float(_multiple(schema, Decimal(str(schema["multipleOf"])), seed))
    low, high = _bounds(schema)
    lowest = -math.inf if low is None else math.nextafter(low[0], math.inf) if low[1] else low[0]
    highest = math.inf if high is None else math.nextafter(high[0], -math.inf) if high[1] else high[0]
    if lowest > highest:
        raise UserError(f"no number lies within the bounds of {_shown(schema)}")
    candidates = [float(seed)]
    candidates += [] if low is None else [low[0] + seed + low[1]]
    candidates += [] if high is None else [high[0] - seed - high[1]]
    for candidate in candidates:
        if lowest <= candidate <= highest:
            return candidate
    if math.isinf(lowest) or math.isinf(highest):  # a bound so great that a whole step from it changes nothing
        return highest if math.isinf(lowest) else lowest
    share = (seed % SHARES + 1) / (SHARES + 1)
    # Rounding can put it a hair beyond. The difference of the bounds is not taken: it may be infinite.
    return min(max(lowest * (1 - share) + highest * share, lowest), highest)


def text(schema: Schema, seed: int) -> str:
    """A text of the format, pattern and length asked for.

    Raises:
        UserError: no text was found that the pattern matches.
    """
    shortest, longest = int(schema.get("minLength", 0)), schema.get("maxLength")
    if "pattern" in schema:
        found = matching(schema["pattern"], shortest, longest, seed)
        if found is None:
            raise UserError(f"no text is known for {_shown(schema)}; give `examples` in its field")
        return found
    if (make := FORMATS.get(schema.get("format", ""))) is not None:
        return make(seed)
    made = letters(seed).rjust(shortest, "a")
    return made if longest is None else made[max(0, len(made) - longest) :]


def _multiple(schema: Schema, step: Decimal, seed: int) -> Decimal:
    """Step times the whole number that is nearest to 0 within the bounds, moved on by `seed` and round again."""
    low, high = _bounds(schema)
    first = None if low is None else _ceil(Decimal(str(low[0])) / step, exclusive=low[1])
    last = None if high is None else -_ceil(-Decimal(str(high[0])) / step, exclusive=high[1])
    start = max(0, first or 0) if last is None else min(max(0, first or 0), last)
    if first is None or last is None:
        return (start + (seed if last is None else -seed)) * step
    if first > last:
        raise UserError(f"no number lies within the bounds of {_shown(schema)}")
    return (first + (start - first + seed) % (last - first + 1)) * step


def _ceil(value: Decimal, *, exclusive: bool) -> int:
    whole = math.ceil(value)
    return whole + 1 if exclusive and whole == value else whole


Bound = tuple[float, bool]
"""A bound, and whether it is itself out of bounds."""


def _bounds(schema: Schema) -> tuple[Bound | None, Bound | None]:
    lows = [(schema[key], key == "exclusiveMinimum") for key in ("minimum", "exclusiveMinimum") if key in schema]
    highs = [(schema[key], key == "exclusiveMaximum") for key in ("maximum", "exclusiveMaximum") if key in schema]
    return max(lows, default=None), min(highs, default=None, key=lambda bound: (bound[0], not bound[1]))


def _shown(schema: Schema) -> str:
    return repr({key: value for key, value in schema.items() if key not in {"title", "description", "default"}})
