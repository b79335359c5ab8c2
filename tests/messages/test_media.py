from __future__ import annotations

import pytest

from agentgraph.messages import AudioUrl, BinaryContent, DocumentUrl, ImageUrl, VideoUrl


@pytest.mark.parametrize(
    ("url", "media_type", "short"),
    [
        ("https://example.com/cat.jpg", "image/jpeg", "jpeg"),
        ("https://example.com/cat.jpeg", "image/jpeg", "jpeg"),
        ("https://example.com/a.b/cat.PNG?size=2#top", "image/png", "png"),
        ("https://example.com/cat.gif#x.png", "image/gif", "gif"),
        ("cat.webp", "image/webp", "webp"),
    ],
)
def test_an_image_url_tells_its_type_by_its_ending(url: str, media_type: str, short: str) -> None:
    assert (ImageUrl(url).media_type, ImageUrl(url).format) == (media_type, short)


@pytest.mark.parametrize(("ending", "media_type"), [("wav", "audio/wav"), ("mp3", "audio/mpeg")])
def test_an_audio_url_tells_its_type_by_its_ending(ending: str, media_type: str) -> None:
    url = AudioUrl(f"https://example.com/a.{ending}?b=c.txt")
    assert (url.media_type, url.format) == (media_type, ending)


@pytest.mark.parametrize("ending", ["mp4", "webm", "mov", "mkv", "flv", "mpeg", "wmv", "3gp"])
def test_a_video_url_and_its_bytes_agree_on_the_format(ending: str) -> None:
    url = VideoUrl(f"https://example.com/a.{ending}")
    content = BinaryContent(b"", url.media_type)
    assert url.format == content.format == ending
    assert content.is_video


@pytest.mark.parametrize("ending", ["pdf", "txt", "csv", "docx", "xlsx", "html", "md", "xls", "doc"])
def test_a_document_url_and_its_bytes_agree_on_the_format(ending: str) -> None:
    url = DocumentUrl(f"https://example.com/a.{ending}")
    content = BinaryContent(b"", url.media_type)
    assert url.format == content.format == ending
    assert content.is_document


@pytest.mark.parametrize("url", ["https://example.com/cat", "https://example.com/?f=cat.png", "https://png", "cat.bmp"])
def test_an_unknown_ending_is_an_error_that_names_the_way_out(url: str) -> None:
    for kind in (ImageUrl, AudioUrl, VideoUrl, DocumentUrl):
        with pytest.raises(ValueError, match="BinaryContent"):
            _ = kind(url).media_type


@pytest.mark.parametrize(
    ("media_type", "image", "audio", "document", "short"),
    [
        ("image/png", True, False, False, "png"),
        ("audio/mpeg", False, True, False, "mp3"),
        ("text/plain; charset=utf-8", False, False, True, "txt"),
    ],
)
def test_binary_content_tells_what_it_is(
    media_type: str, *, image: bool, audio: bool, document: bool, short: str
) -> None:
    content = BinaryContent(b"x", media_type)
    assert (content.is_image, content.is_audio, content.is_document) == (image, audio, document)
    assert content.format == short


def test_an_unknown_media_type_has_no_format() -> None:
    content = BinaryContent(b"x", "application/zip")
    assert not content.is_document
    with pytest.raises(ValueError, match="application/zip"):
        _ = content.format
