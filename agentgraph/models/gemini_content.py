"""What a user says as parts of Gemini's protocol."""

from __future__ import annotations

import base64
from typing import assert_never

from agentgraph.exceptions import UserError
from agentgraph.messages import AudioUrl, BinaryContent, DocumentUrl, ImageUrl, MediaUrl, UserContent, VideoUrl

from .gemini_settings import generation_of
from .media import ending_type
from .wire import JSON

__all__ = ["VERTEX", "content_of", "is_fetched", "is_since"]

VERTEX = "google-vertex"
OWN = (
    "gs://",
    "https://generativelanguage.googleapis.com/",
    *(f"https://{host}/" for host in ("youtube.com", "www.youtube.com", "youtu.be")),
)
"""How the addresses begin of what the service holds, or has next door."""


def content_of(item: UserContent, model_name: str, system: str) -> JSON:
    """One piece of a prompt.

    Raises:
        UserError: a URL that the service does not fetch.
    """
    match item:
        case str():
            return {"text": item}
        case BinaryContent():
            return {"inlineData": {"mimeType": item.media_type, "data": base64.b64encode(item.data).decode()}}
        case ImageUrl() | AudioUrl() | VideoUrl() | DocumentUrl():
            return {"fileData": _file(item, model_name, system)}
        case _:
            assert_never(item)


def is_fetched(item: MediaUrl, model_name: str, system: str) -> bool:
    """Whether the service fetches a URL by itself, or holds what is there."""
    return _is_own(item) or (_may_be_fetched(item, model_name, system) and ending_type(item) is not None)


def is_since(model_name: str, generation: tuple[int, int]) -> bool:
    """Whether a model is of this generation or a later one; a name without one is that of the latest."""
    own = generation_of(model_name)
    return own is None or own >= generation


def _is_own(item: MediaUrl) -> bool:
    return item.url.lower().startswith(OWN)


def _may_be_fetched(item: MediaUrl, model_name: str, system: str) -> bool:
    # https://ai.google.dev/gemini-api/docs/file-input-methods: images and documents, not by models before 2.5.
    fetched = isinstance(item, ImageUrl | DocumentUrl) and is_since(model_name, (2, 5))
    return system == VERTEX or fetched


def _file(item: MediaUrl, model_name: str, system: str) -> JSON:
    uri = {"fileUri": item.url}
    own = _is_own(item)
    if not (own or _may_be_fetched(item, model_name, system)):
        raise UserError(
            f"{model_name!r} of {system!r} fetches no such URL ({item.url}): send the bytes as BinaryContent"
        )
    try:
        return {"mimeType": item.media_type, **uri}
    except ValueError as error:
        if own:  # the service knows the type of what it holds
            return uri
        problem = str(error)
    raise UserError(f"Gemini has to be told what a URL leads to: {problem}")
