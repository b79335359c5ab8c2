"""What a user can send beside text: links to media, and media as bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, TypeAlias, TypeVar
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field

__all__ = [
    "AudioFormat",
    "AudioMediaType",
    "AudioUrl",
    "BinaryContent",
    "DocumentFormat",
    "DocumentMediaType",
    "DocumentUrl",
    "ImageFormat",
    "ImageMediaType",
    "ImageUrl",
    "MediaUrl",
    "UserContent",
    "VideoFormat",
    "VideoMediaType",
    "VideoUrl",
]

ImageFormat: TypeAlias = Literal["jpeg", "png", "gif", "webp"]
AudioFormat: TypeAlias = Literal["wav", "mp3"]
VideoFormat: TypeAlias = Literal["mp4", "webm", "mov", "mkv", "flv", "mpeg", "wmv", "3gp"]
DocumentFormat: TypeAlias = Literal["pdf", "txt", "csv", "docx", "xlsx", "html", "md", "xls", "doc"]

ImageMediaType: TypeAlias = Literal["image/jpeg", "image/png", "image/gif", "image/webp"]
AudioMediaType: TypeAlias = Literal["audio/wav", "audio/mpeg"]
VideoMediaType: TypeAlias = Literal[
    "video/mp4",
    "video/webm",
    "video/quicktime",
    "video/x-matroska",
    "video/x-flv",
    "video/mpeg",
    "video/x-ms-wmv",
    "video/3gpp",
]
DocumentMediaType: TypeAlias = Literal[
    "application/pdf",
    "text/plain",
    "text/csv",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "text/html",
    "text/markdown",
    "application/vnd.ms-excel",
    "application/msword",
]

MediaTypeT = TypeVar("MediaTypeT", bound=str)

IMAGE_TYPES: Mapping[str, ImageMediaType] = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
}
AUDIO_TYPES: Mapping[str, AudioMediaType] = {"wav": "audio/wav", "mp3": "audio/mpeg"}
VIDEO_TYPES: Mapping[str, VideoMediaType] = {
    "mp4": "video/mp4",
    "webm": "video/webm",
    "mov": "video/quicktime",
    "mkv": "video/x-matroska",
    "flv": "video/x-flv",
    "mpeg": "video/mpeg",
    "mpg": "video/mpeg",
    "wmv": "video/x-ms-wmv",
    "3gp": "video/3gpp",
}
DOCUMENT_TYPES: Mapping[str, DocumentMediaType] = {
    "pdf": "application/pdf",
    "txt": "text/plain",
    "csv": "text/csv",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "html": "text/html",
    "htm": "text/html",
    "md": "text/markdown",
    "xls": "application/vnd.ms-excel",
    "doc": "application/msword",
}

IMAGE_FORMATS: Mapping[str, ImageFormat] = {
    "image/jpeg": "jpeg",
    "image/jpg": "jpeg",
    "image/png": "png",
    "image/gif": "gif",
    "image/webp": "webp",
}
AUDIO_FORMATS: Mapping[str, AudioFormat] = {
    "audio/wav": "wav",
    "audio/wave": "wav",
    "audio/x-wav": "wav",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
}
VIDEO_FORMATS: Mapping[str, VideoFormat] = {
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/quicktime": "mov",
    "video/x-matroska": "mkv",
    "video/x-flv": "flv",
    "video/mpeg": "mpeg",
    "video/x-ms-wmv": "wmv",
    "video/3gpp": "3gp",
}
DOCUMENT_FORMATS: Mapping[str, DocumentFormat] = {
    "application/pdf": "pdf",
    "text/plain": "txt",
    "text/csv": "csv",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/markdown": "md",
    "application/vnd.ms-excel": "xls",
    "application/msword": "doc",
}


@dataclass(slots=True)
class ImageUrl:
    """An image, fetched by the model's service, or downloaded and sent along if the service does not."""

    url: str
    kind: Literal["image-url"] = "image-url"

    @property
    def media_type(self) -> ImageMediaType:
        """The media type that the URL's ending stands for; `ValueError` for any other ending."""
        return _media_type(self.url, IMAGE_TYPES, "an image")

    @property
    def format(self) -> ImageFormat:
        """The short name of the media type, such as `png`; `ValueError` as for `media_type`."""
        return IMAGE_FORMATS[self.media_type]


@dataclass(slots=True)
class AudioUrl:
    """A sound, fetched as an image is."""

    url: str
    kind: Literal["audio-url"] = "audio-url"

    @property
    def media_type(self) -> AudioMediaType:
        """The media type that the URL's ending stands for; `ValueError` for any other ending."""
        return _media_type(self.url, AUDIO_TYPES, "audio")

    @property
    def format(self) -> AudioFormat:
        """The short name of the media type, such as `mp3`; `ValueError` as for `media_type`."""
        return AUDIO_FORMATS[self.media_type]


@dataclass(slots=True)
class VideoUrl:
    """A video, fetched as an image is."""

    url: str
    kind: Literal["video-url"] = "video-url"

    @property
    def media_type(self) -> VideoMediaType:
        """The media type that the URL's ending stands for; `ValueError` for any other ending."""
        return _media_type(self.url, VIDEO_TYPES, "a video")

    @property
    def format(self) -> VideoFormat:
        """The short name of the media type, such as `mp4`; `ValueError` as for `media_type`."""
        return VIDEO_FORMATS[self.media_type]


@dataclass(slots=True)
class DocumentUrl:
    """A document, fetched as an image is."""

    url: str
    kind: Literal["document-url"] = "document-url"

    @property
    def media_type(self) -> DocumentMediaType:
        """The media type that the URL's ending stands for; `ValueError` for any other ending."""
        return _media_type(self.url, DOCUMENT_TYPES, "a document")

    @property
    def format(self) -> DocumentFormat:
        """The short name of the media type, such as `pdf`; `ValueError` as for `media_type`."""
        return DOCUMENT_FORMATS[self.media_type]


@dataclass(slots=True)
class BinaryContent:
    """An image, a sound, a video or a document as bytes; base64 in JSON."""

    # Here rather than on an adapter, so that every adapter that meets the class writes the same JSON.
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    data: bytes
    media_type: AudioMediaType | ImageMediaType | VideoMediaType | DocumentMediaType | str
    kind: Literal["binary"] = "binary"

    @property
    def is_audio(self) -> bool:
        """Whether the media type is one of sounds."""
        return self.media_type.startswith("audio/")

    @property
    def is_image(self) -> bool:
        """Whether the media type is one of images."""
        return self.media_type.startswith("image/")

    @property
    def is_video(self) -> bool:
        """Whether the media type is one of videos."""
        return self.media_type.startswith("video/")

    @property
    def is_document(self) -> bool:
        """Whether the media type is one of the known documents."""
        return _essence(self.media_type) in DOCUMENT_FORMATS

    @property
    def format(self) -> ImageFormat | AudioFormat | VideoFormat | DocumentFormat:
        """The short name of the media type; `ValueError` if it is none of the known ones."""
        essence = _essence(self.media_type)
        image_or_sound = IMAGE_FORMATS.get(essence) or AUDIO_FORMATS.get(essence)
        found = image_or_sound or VIDEO_FORMATS.get(essence) or DOCUMENT_FORMATS.get(essence)
        if found is None:
            msg = f"no format is known for the media type {self.media_type!r}"
            raise ValueError(msg)
        return found


MediaUrl: TypeAlias = ImageUrl | AudioUrl | VideoUrl | DocumentUrl
"""Media by their address."""
UserContent: TypeAlias = str | Annotated[MediaUrl | BinaryContent, Field(discriminator="kind")]
"""One piece of a user's prompt."""


def _essence(media_type: str) -> str:
    return media_type.partition(";")[0].strip().lower()


def _media_type(url: str, types: Mapping[str, MediaTypeT], what: str) -> MediaTypeT:
    ending = urlsplit(url).path.rpartition(".")[2].lower()
    found = types.get(ending)
    if found is None:
        msg = (
            f"the URL {url!r} does not end as {what} does ({', '.join('.' + known for known in types)}); "
            "send the bytes as BinaryContent with their media type"
        )
        raise ValueError(msg)
    return found
