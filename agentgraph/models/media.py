"""Bytes as protocols carry them in JSON."""

from __future__ import annotations

import base64

from agentgraph.messages import BinaryContent, DocumentUrl, MediaUrl

__all__ = ["data_url", "document_text", "ending_type", "may_be_text"]


def data_url(item: BinaryContent) -> str:
    """The bytes as an address that holds them."""
    return f"data:{item.media_type};base64,{base64.b64encode(item.data).decode()}"


def document_text(item: BinaryContent) -> str | None:
    """A document that is text, with marks around it; None if it is anything else."""
    if not item.media_type.startswith("text/"):
        return None
    return f'<document media_type="{item.media_type}">\n{item.data.decode(errors="replace")}\n</document>'


def ending_type(item: MediaUrl) -> str | None:
    """The media type that a URL's ending stands for; None if it stands for none."""
    try:
        return item.media_type
    except ValueError:
        return None


def may_be_text(item: MediaUrl) -> bool:
    """Whether it is a document of text as far as its URL tells, which services take that take no other documents."""
    return isinstance(item, DocumentUrl) and (ending_type(item) or "text/").startswith("text/")
