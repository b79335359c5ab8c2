"""SVG, read back."""

from __future__ import annotations

from xml.etree import ElementTree as ET

NAMESPACE = "{http://www.w3.org/2000/svg}"


def parsed(drawn: str) -> ET.Element:
    return ET.fromstring(drawn)  # noqa: S314 - of our own making


def texts(drawn: str) -> list[str]:
    return [element.text or "" for element in parsed(drawn).iter(f"{NAMESPACE}text")]


def classes(drawn: str, tag: str) -> list[str]:
    return [element.get("class", "") for element in parsed(drawn).iter(f"{NAMESPACE}{tag}")]
