"""What a user says beside text, as chat completions take it."""

from __future__ import annotations

import base64
from typing import assert_never

from agentgraph.exceptions import UserError
from agentgraph.messages import AudioUrl, BinaryContent, DocumentUrl, ImageUrl, MediaUrl, UserContent, VideoUrl
from agentgraph.providers.services import ChatProfile

from .media import data_url, document_text, may_be_text
from .wire import JSON

__all__ = ["content_of", "format_of", "needs_bytes"]


def content_of(item: UserContent, profile: ChatProfile) -> JSON:
    """One piece of a prompt.

    Raises:
        UserError: the service does not take it.
    """
    match item:
        case str():
            return {"type": "text", "text": item}
        case ImageUrl():
            return _image(item.url)
        case BinaryContent():
            return _binary(item, profile)
        case AudioUrl() if profile.media == "urls":
            return {"type": "input_audio", "input_audio": item.url}
        case DocumentUrl() if profile.media == "urls":
            return {"type": "document_url", "document_url": item.url}
        case AudioUrl() | DocumentUrl():
            noun = "audio" if isinstance(item, AudioUrl) else "documents"
            raise UserError(f"this service's chat takes no {noun} by URL ({item.url}): send the bytes as BinaryContent")
        case VideoUrl():
            raise UserError(f"this service's chat takes no video ({item.url})")
        case _:
            assert_never(item)


def needs_bytes(item: MediaUrl, profile: ChatProfile) -> bool:
    """Whether the service takes such media, but by their bytes alone."""
    match item:
        case ImageUrl():
            return not profile.image_urls
        case AudioUrl():
            return profile.media == "files"
        case DocumentUrl():
            return profile.media == "files" or (profile.media == "images" and may_be_text(item))
        case VideoUrl():
            return False
        case _:
            assert_never(item)


def _image(url: str) -> JSON:
    return {"type": "image_url", "image_url": {"url": url}}


def _binary(item: BinaryContent, profile: ChatProfile) -> JSON:
    if item.is_image:
        return _image(data_url(item))
    text = document_text(item)
    if text is not None:  # files may be PDF alone, but text needs no file
        return {"type": "text", "text": text}
    if not (item.is_audio or item.is_document) or profile.media == "images":
        kinds = "images and text" if profile.media == "images" else "images, audio and documents"
        raise UserError(f"this service's chat takes {kinds}, but no {item.media_type!r}")
    return _file(item) if profile.media == "files" else _address(item)


def _file(item: BinaryContent) -> JSON:
    if item.is_audio:
        data = base64.b64encode(item.data).decode()
        return {"type": "input_audio", "input_audio": {"data": data, "format": format_of(item)}}
    return {"type": "file", "file": {"filename": f"document.{format_of(item)}", "file_data": data_url(item)}}


def _address(item: BinaryContent) -> JSON:
    if item.is_audio:
        return {"type": "input_audio", "input_audio": base64.b64encode(item.data).decode()}
    return {"type": "document_url", "document_url": data_url(item)}


def format_of(item: BinaryContent) -> str:
    """The usual ending of such a file.

    Raises:
        UserError: there is none.
    """
    try:
        return item.format
    except ValueError as error:
        raise UserError(f"a service that speaks OpenAI's protocols cannot take this content: {error}") from None
