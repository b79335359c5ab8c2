"""What is wrong with a graph, and where in the source its author finds it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

__all__ = ["Fault", "place_of"]

Source = type[Any] | Callable[..., Any]  # whatever the user wrote


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason why a graph cannot work; as text it ends with its place, `(flows.py:12)`, where there is source."""

    what: str
    at: Source | None = None
    """The class or method that has to be changed."""

    def __str__(self) -> str:
        place = None if self.at is None else place_of(self.at)
        return self.what if place is None else f"{self.what} ({place})"


def place_of(what: Source) -> str | None:
    """The file and line of a class or function, the file as seen from the working directory; None without source."""
    found = (
        _class_place(what) if isinstance(what, type) else _code_place(getattr(inspect.unwrap(what), "__code__", None))
    )
    if found is None or found[0].startswith("<"):  # typed in, or made by a function
        return None
    file, line = found
    with suppress(ValueError, OSError):  # it is elsewhere, or there is no working directory any more
        file = str(Path(file).relative_to(Path.cwd()))
    return f"{file}:{line}"


def _class_place(cls: type[Any]) -> tuple[str, int] | None:
    try:
        return inspect.getsourcefile(cls) or "<unknown>", inspect.getsourcelines(cls)[1]
    except (OSError, TypeError):  # without its text, its methods still know where they were
        methods = (each.__code__ for each in vars(cls).values() if isinstance(each, FunctionType))
        written = (code for code in methods if not code.co_filename.startswith("<"))
        return _code_place(min(written, key=lambda code: code.co_firstlineno, default=None))


def _code_place(code: CodeType | None) -> tuple[str, int] | None:
    return None if code is None else (code.co_filename, code.co_firstlineno)
