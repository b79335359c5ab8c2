"""What a user says as blocks of Anthropic's protocol."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import assert_never

from agentgraph.exceptions import UserError
from agentgraph.messages import AudioUrl, BinaryContent, DocumentUrl, ImageUrl, MediaUrl, UserContent, VideoUrl

from .media import ending_type, may_be_text
from .wire import JSON

__all__ = ["needs_bytes", "user_blocks"]

PDF = "application/pdf"


def user_blocks(content: str | Sequence[UserContent]) -> list[JSON]:
    """The blocks of a prompt, without texts that are blank, which the service refuses.

    Raises:
        UserError: a content that the service does not take.
    """
    items = [content] if isinstance(content, str) else content
    return [block for item in items for block in _blocks(item)]


def needs_bytes(item: MediaUrl) -> bool:
    """Whether the service takes such media, but does not fetch this URL.

    It fetches images and PDF documents, over https: https://platform.claude.com/docs/en/build-with-claude/pdf-support
    """
    if isinstance(item, AudioUrl | VideoUrl):
        return False
    # What ends in no known type is usually the address of a paper, and a PDF.
    text = ending_type(item) is not None and may_be_text(item)
    return text or not item.url.lower().startswith("https:")


def _blocks(item: UserContent) -> list[JSON]:
    match item:
        case str():
            return [{"type": "text", "text": item}] if item.strip() else []
        case ImageUrl():
            return [{"type": "image", "source": {"type": "url", "url": item.url}}]
        case DocumentUrl():
            return [_document_at(item)]
        case BinaryContent():
            return [_binary(item)]
        case AudioUrl():
            raise UserError(f"Anthropic's models take no audio ({item.url})")
        case VideoUrl():
            raise UserError(f"Anthropic's models take no video ({item.url})")
        case _:
            assert_never(item)


def _document_at(item: DocumentUrl) -> JSON:
    try:
        kind: str = item.media_type
    except ValueError:  # many addresses of papers end in no format; what is there, the service sees when it fetches it
        kind = PDF
    if kind != PDF:
        raise UserError(f"Anthropic fetches PDF documents alone, not {item.url}: send the bytes as BinaryContent")
    return {"type": "document", "source": {"type": "url", "url": item.url}}


def _binary(item: BinaryContent) -> JSON:
    kind = item.media_type.partition(";")[0].strip().lower()
    if kind.startswith("text/"):
        text = item.data.decode(errors="replace")
        return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text}}
    if kind == PDF or (item.is_image and _is_known(item)):
        block = "document" if kind == PDF else "image"
        media_type = kind if kind == PDF else f"image/{item.format}"
        data = base64.b64encode(item.data).decode()
        return {"type": block, "source": {"type": "base64", "media_type": media_type, "data": data}}
    raise UserError(f"Anthropic's models take images (jpeg, png, gif, webp), PDF and text, but no {item.media_type!r}")


def _is_known(item: BinaryContent) -> bool:
    try:
        return bool(item.format)
    except ValueError:
        return False
