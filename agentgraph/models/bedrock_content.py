"""What a user says as blocks of Bedrock's protocol."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import assert_never

from agentgraph.exceptions import UserError
from agentgraph.messages import AudioUrl, BinaryContent, DocumentUrl, ImageUrl, MediaUrl, UserContent, VideoUrl

from .media import ending_type
from .wire import JSON

__all__ = ["ContentEncoder"]

S3 = "s3://"
VIDEO_FORMATS: Mapping[str, str] = {
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/quicktime": "mov",
    "video/x-matroska": "mkv",
    "video/x-flv": "flv",
    "video/mpeg": "mpeg",
    "video/x-ms-wmv": "wmv",
    "video/3gpp": "three_gp",
}
AUDIO_FORMATS: Mapping[str, str] = {
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/ogg": "ogg",
    "audio/opus": "opus",
    "audio/flac": "flac",
    "audio/aac": "aac",
    "audio/mp4": "m4a",
    "audio/webm": "webm",
}


@dataclass(frozen=True)
class ContentEncoder:
    """Encodes the prompts of one conversation."""

    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    """A document needs a name, which the model sees; two of one conversation must not be the same."""

    def blocks(self, content: str | Sequence[UserContent]) -> list[JSON]:
        """The blocks of a prompt, without texts that are blank, which the service refuses.

        Raises:
            UserError: a content that the service does not take.
        """
        items = [content] if isinstance(content, str) else content
        return [block for item in items for block in self._blocks(item)]

    def _blocks(self, item: UserContent) -> list[JSON]:
        match item:
            case str():
                return [{"text": item}] if item.strip() else []
            case ImageUrl():
                return [{"image": {"format": _format(item), "source": _stored(item)}}]
            case AudioUrl():
                return [{"audio": {"format": _format(item), "source": _stored(item)}}]
            case VideoUrl():
                return [{"video": {"format": _video_format(item), "source": _stored(item)}}]
            case DocumentUrl():
                return [self._document(_format(item), _stored(item))]
            case BinaryContent():
                return [self._binary(item)]
            case _:
                assert_never(item)

    def _binary(self, item: BinaryContent) -> JSON:
        source = {"bytes": base64.b64encode(item.data).decode()}
        kind = item.media_type.partition(";")[0].strip().lower()
        if kind in VIDEO_FORMATS:
            return {"video": {"format": VIDEO_FORMATS[kind], "source": source}}
        if kind in AUDIO_FORMATS:
            return {"audio": {"format": AUDIO_FORMATS[kind], "source": source}}
        if item.is_image:
            return {"image": {"format": _format(item), "source": source}}
        return self._document(_format(item), source)

    def _document(self, kind: str, source: JSON) -> JSON:
        return {"document": {"name": f"Document {next(self._numbers)}", "format": kind, "source": source}}


def _video_format(item: VideoUrl) -> str:
    return VIDEO_FORMATS[ending_type(item) or _format(item)]


def _format(item: MediaUrl | BinaryContent) -> str:
    try:
        return item.format
    except ValueError as error:
        raise UserError(f"Bedrock cannot take this content: {error}") from None


def _stored(item: MediaUrl) -> JSON:
    if not item.url.startswith(S3):
        raise UserError(f"Bedrock fetches from S3 alone (s3://…), not {item.url}: send the bytes as BinaryContent")
    return {"s3Location": {"uri": item.url}}
