"""Two runs differ in their times; everything else is compared."""

from __future__ import annotations

import re

__all__ = ["timeless"]

TIMES = re.compile(rb'"timestamp":"[^"]*"')


def timeless(json: bytes) -> bytes:
    """JSON of messages, every time replaced by null."""
    return TIMES.sub(b'"timestamp":null', json)
