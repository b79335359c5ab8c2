"""Data as XML for a prompt: models follow examples more readily when each has its tags around it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from datetime import date, time
from enum import Enum
from numbers import Number
from typing import cast
from uuid import UUID
from xml.etree import ElementTree as ET

from pydantic import BaseModel

__all__ = ["format_as_xml"]

_NOT_IN_A_NAME = re.compile(r"[^\w.-]", re.ASCII)
"""Colons are legal in XML names, but announce a namespace that nobody declared."""
_NOT_IN_TEXT = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold in any form, escaped or not."""


def format_as_xml(
    obj: object,
    root_tag: str = "examples",
    item_tag: str = "example",
    include_root_tag: bool = True,  # noqa: FBT001, FBT002 - the parameters and their order are given
    none_str: str = "null",
    indent: str | None = "  ",
) -> str:
    """Write `obj` as XML that any parser reads, for the use in a prompt.

    A mapping, dataclass instance or pydantic model becomes an element an entry, any other iterable an element an item.
    Text is escaped; a character that XML cannot hold is replaced by U+FFFD, one that a tag cannot hold by `_`.

    Args:
        obj: Text, a number, a date, time or UUID, bytes (read as UTF-8), an enum's member (written as its value),
            None, or a mapping, iterable, dataclass instance or pydantic model of such values, nested at will.
        root_tag: The tag around the whole.
        item_tag: The tag around each item of an iterable; an item that is a dataclass instance or a pydantic model has
            the name of its class instead.
        include_root_tag: Whether to write the tag around the whole.
        none_str: What is written for None.
        indent: What each level is indented by; None writes all on one line.

    Raises:
        TypeError: A value of another type, or a mapping's key that is neither text nor an integer; says where.
    """
    root = _Writer(item_tag, none_str).element(root_tag, obj, "the object")
    if indent is not None:
        ET.indent(root, space=indent)
    if include_root_tag:
        return ET.tostring(root, encoding="unicode")
    if len(root) == 0:
        return _escaped(root.text or "")
    for child in root:
        child.tail = None
        if indent is not None:
            ET.indent(child, space=indent)
    return ("" if indent is None else "\n").join(ET.tostring(child, encoding="unicode") for child in root)


@dataclass(frozen=True)
class _Writer:
    item_tag: str
    none_str: str

    def element(self, tag: str, value: object, where: str) -> ET.Element:
        element = ET.Element(_name(tag))
        text = self.text(value)
        if text is not None:
            element.text = _NOT_IN_TEXT.sub("\ufffd", text)
        else:
            element.extend(self.children(value, where))
        return element

    def text(self, value: object) -> str | None:
        """A single value's text; None for what has parts."""
        match value:
            case None:
                return self.none_str
            case Enum():
                return self.text(value.value)
            case str():
                return value
            case bytes() | bytearray():
                return value.decode(errors="replace")
            case date() | time():
                return value.isoformat()
            case Number() | UUID():
                return str(value)
            case _:
                return None

    def children(self, value: object, where: str) -> list[ET.Element]:
        entries = _entries(value)
        if entries is not None:
            return [self.element(_key(key, where), item, f"{where}[{key!r}]") for key, item in entries]
        if isinstance(value, Iterable):
            items = cast("Iterable[object]", value)  # what `isinstance` cannot say: of anything
            return [self.element(self.tag(item), item, f"{where}[{n}]") for n, item in enumerate(items)]
        raise TypeError(f"{where} is of type {type(value).__name__}, which has no form in XML; turn it into text first")

    def tag(self, item: object) -> str:
        """Items of a class of the user's carry its name, which tells a model more than "example"."""
        named = isinstance(item, BaseModel) or is_dataclass(item)
        return type(item).__name__ if named else self.item_tag


def _entries(value: object) -> Iterable[tuple[object, object]] | None:
    """What a value of named parts holds; None if its parts have no names."""
    if isinstance(value, Mapping):
        return cast("Mapping[object, object]", value).items()  # what `isinstance` cannot say: of anything
    if isinstance(value, BaseModel):
        return value.model_dump().items()  # and not its fields: those that are excluded from dumps stay out of prompts
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value).items()
    return None


def _key(key: object, where: str) -> str:
    if isinstance(key, str | int):
        return str(key)
    raise TypeError(f"{where} has the key {key!r}; only text and integers can be tags")


def _name(tag: str) -> str:
    name = _NOT_IN_A_NAME.sub("_", tag)
    return name if re.match(r"[A-Za-z_]", name) else f"_{name}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
