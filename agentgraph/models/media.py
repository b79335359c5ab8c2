"""Bytes as protocols carry them in JSON."""

from __future__ import annotations

import base64

from agentgraph.messages import BinaryContent

__all__ = ["data_url", "document_text"]


def data_url(item: BinaryContent) -> str:
    """The bytes as an address that holds them."""
    return f"data:{item.media_type};base64,{base64.b64encode(item.data).decode()}"


def document_text(item: BinaryContent) -> str | None:
    """A document that is text, with marks around it; None if it is anything else."""
    if not item.media_type.startswith("text/"):
        return None
    return f'<document media_type="{item.media_type}">\n{item.data.decode(errors="replace")}\n</document>'
