"""What a docstring tells a model: what the function does and what its parameters mean."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from docstring_parser import DocstringStyle

__all__ = ["DocstringFormat", "Documentation", "read_docstring"]

DocstringFormat: TypeAlias = Literal["google", "numpy", "sphinx", "auto"]
"""The convention of a docstring; `auto` finds it out."""


@dataclass(frozen=True, slots=True)
class Documentation:
    """A docstring, read."""

    summary: str = ""
    """What it says before and between its sections."""
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    """The descriptions by parameter, stars left off."""


def read_docstring(doc: str | None, names: Collection[str], style: DocstringFormat = "auto") -> Documentation:
    """Read a docstring without its indentation.

    Args:
        doc: the docstring, if there is one.
        names: the parameters there are, by which `auto` knows a style.
        style: its convention.
    """
    if not doc:
        return Documentation()
    if "\n" not in doc and ":param" not in doc:
        return Documentation(doc.strip())
    readings = [reading for one in _styles(style) if (reading := _parse(doc, one)) is not None]

    def fit(reading: Documentation) -> tuple[int, int]:
        # A section that was recognised is gone from the summary.
        return len(reading.parameters.keys() & set(names)), -len(reading.summary)

    return max(readings, key=fit, default=Documentation(doc.strip()))


def _styles(style: DocstringFormat) -> Collection[DocstringStyle]:
    from docstring_parser import DocstringStyle

    by_name = {
        "google": DocstringStyle.GOOGLE,
        "numpy": DocstringStyle.NUMPYDOC,
        "sphinx": DocstringStyle.REST,
    }
    return by_name.values() if style == "auto" else [by_name[style]]


def _parse(doc: str, style: DocstringStyle) -> Documentation | None:
    from docstring_parser import ParseError, parse

    try:
        parsed = parse(doc, style)
    except ParseError:
        return None
    described = {
        name.strip().lstrip("*"): parameter.description.strip()
        for parameter in parsed.params
        if parameter.description
        for name in parameter.arg_name.replace("\\", "").split(",")  # numpy describes several at once: `x, y : int`
    }
    return Documentation((parsed.description or "").strip(), described)
