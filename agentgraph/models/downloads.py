"""Media that a service does not fetch by itself, downloaded by us and sent along as bytes.

Whoever chooses a URL must not reach through us what only we can reach. So the rules are these:

- Only http and https, and only public addresses, unless `allow_private` says otherwise.
- A name is looked up once; all of its addresses are checked, and the connection goes to one of those that were. A name
  that means something else a moment later (DNS rebinding) changes nothing.
- Each redirect is a new URL, with the same checks.
- A download has a client of its own: no cookies, no connection and no key of any other request, no proxy of the
  environment, which would look the name up again.
- It ends at a number of bytes and seconds, and the media type has to be of the kind that the prompt says.

Errors show a URL without what may be secret in it: user, password, query. As in `http.py` they are raised outside of
any `except` block, since the HTTP library's exceptions hold the whole of it.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias, assert_never

import anyio
import httpx

from agentgraph.concurrency import gather
from agentgraph.exceptions import DownloadError
from agentgraph.messages import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    MediaUrl,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    UserContent,
    UserPromptPart,
    VideoUrl,
)
from agentgraph.providers.clients import download_client
from agentgraph.settings import DownloadSettings, ModelSettings

from .addresses import as_literal, is_public
from .http import close_response
from .media import ending_type

__all__ = ["Lookup", "download", "shown_url", "with_downloads"]

Lookup: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host for a port."""

MAX_BYTES = 32 * 2**20
TIMEOUT = 60.0
MAX_REDIRECTS = 5
LAST_PORT = 65535
AT_ONCE = 8
"""Downloads of one request that run side by side."""
WEB = ("http://", "https://")
UNTOLD = frozenset({"", "application/octet-stream", "binary/octet-stream"})
"""What storage services call files whose type nobody told them."""


async def with_downloads(
    messages: list[ModelMessage], settings: ModelSettings | None, needs_bytes: Callable[[MediaUrl], bool]
) -> list[ModelMessage]:
    """The conversation with media as bytes where the service does not fetch them; the very same list if it does.

    A URL that occurs several times is downloaded once.

    Raises:
        DownloadError: one of them cannot be downloaded, or may not be.
    """
    links = list(_links(messages))
    if not links:
        return messages
    rules = (settings or {}).get("downloads", DownloadSettings())
    everything = rules.get("always", False)
    wanted = {
        _key(item): item for item in links if item.url.lower().startswith(WEB) and (everything or needs_bytes(item))
    }
    if not wanted:
        return messages
    turn = anyio.Semaphore(AT_ONCE)
    contents = await gather([partial(_in_turn, turn, item, rules) for item in wanted.values()])
    found = dict(zip(wanted, contents, strict=True))
    return [_replaced(message, found) if isinstance(message, ModelRequest) else message for message in messages]


async def _in_turn(turn: anyio.Semaphore, item: MediaUrl, rules: DownloadSettings) -> BinaryContent:
    async with turn:
        return await download(item, rules)


def _links(messages: Sequence[ModelMessage]) -> Iterator[MediaUrl]:
    for message in messages:
        for part in message.parts if isinstance(message, ModelRequest) else ():
            if isinstance(part, UserPromptPart) and not isinstance(part.content, str):
                yield from (item for item in part.content if not isinstance(item, str | BinaryContent))


def _key(item: MediaUrl) -> tuple[str, str]:
    return item.kind, item.url


def _replaced(request: ModelRequest, found: dict[tuple[str, str], BinaryContent]) -> ModelRequest:
    def content_of(item: UserContent) -> UserContent:
        return item if isinstance(item, str | BinaryContent) else found.get(_key(item), item)

    def part_of(part: ModelRequestPart) -> ModelRequestPart:
        if isinstance(part, UserPromptPart) and not isinstance(part.content, str):
            return replace(part, content=[content_of(item) for item in part.content])
        return part

    return replace(request, parts=[part_of(part) for part in request.parts])


async def _look_up(host: str, port: int) -> Sequence[str]:
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(address[0] for *_, address in found))


async def download(item: MediaUrl, rules: DownloadSettings, look_up: Lookup = _look_up) -> BinaryContent:
    """What is at a URL, with the media type that its server tells, or else its ending.

    Raises:
        DownloadError: it cannot be had, may not be, or is something else than the prompt says.
    """
    seconds = rules.get("timeout", TIMEOUT)
    try:
        with anyio.fail_after(seconds):
            return await _Download(item, rules, look_up).content()
    except TimeoutError:
        reason = f"it took longer than {seconds:g} s (`timeout` of the setting `downloads`)"
    except (httpx.InvalidURL, UnicodeError):  # the latter of a host that no name can be
        reason = "it is no URL"
    except (httpx.HTTPError, OSError) as error:  # OSError: the lookup of a name
        reason = f"its server could not be reached or was cut off ({type(error).__name__})"
    raise DownloadError(shown_url(item.url), reason)


@dataclass(frozen=True)
class _Download:
    item: MediaUrl
    rules: DownloadSettings
    look_up: Lookup

    async def content(self) -> BinaryContent:
        url = httpx.URL(self.item.url)
        for _ in range(MAX_REDIRECTS + 1):
            async with self._answered(url) as response:
                if not response.has_redirect_location:
                    return await self._received(url, response)
                url = url.join(response.headers["location"])
        raise DownloadError(shown_url(self.item.url), f"it was redirected more than {MAX_REDIRECTS} times")

    @asynccontextmanager
    async def _answered(self, url: httpx.URL) -> AsyncGenerator[httpx.Response]:
        addresses = await self._addresses(url)
        async with download_client(self.rules.get("timeout", TIMEOUT)) as client:
            response = await _asked(client, url, addresses)
            try:
                yield response
            finally:
                await response.aclose()

    async def _addresses(self, url: httpx.URL) -> Sequence[str]:
        """Where the connection may go: never to a name, which might mean something else by then."""
        if url.scheme not in {"http", "https"} or not url.host:
            raise DownloadError(shown_url(str(url)), "only http and https are downloaded")
        literal = as_literal(url.host)
        port = url.port or {"http": 80, "https": 443}[url.scheme]
        if port > LAST_PORT:
            raise DownloadError(shown_url(str(url)), f"there is no port {port}")
        addresses = [literal] if literal else await self.look_up(url.raw_host.decode(), port)
        private = [address for address in addresses if not is_public(address)]
        if private and not self.rules.get("allow_private", False):
            raise DownloadError(
                shown_url(str(url)),
                f"its address {private[0]} is not one of the public internet; if it may be asked, say so with the "
                "setting `downloads={'allow_private': True}`",
            )
        return addresses

    async def _received(self, url: httpx.URL, response: httpx.Response) -> BinaryContent:
        shown = shown_url(str(url))
        if not response.is_success:
            raise DownloadError(shown, f"its server answered with status {response.status_code}")
        media_type = _media_type(self.item, shown, response.headers.get("content-type", ""))
        limit = self.rules.get("max_bytes", MAX_BYTES)
        body = await _collected(response, limit)
        if body is None:
            raise DownloadError(shown, f"it has more than {limit} bytes (`max_bytes` of the setting `downloads`)")
        return BinaryContent(body, media_type)


async def _collected(response: httpx.Response, limit: int) -> bytes | None:
    """The body, decompressed; None if it is longer than `limit`."""
    body = bytearray()
    chunks = response.aiter_bytes()
    async for chunk in chunks:
        body += chunk
        if len(body) > limit:
            await close_response(response, chunks)
            return None
    return bytes(body)


async def _asked(client: httpx.AsyncClient, url: httpx.URL, addresses: Sequence[str]) -> httpx.Response:
    """The answer of the first of the addresses that takes a connection; its body is still to come."""
    failure: httpx.TransportError = httpx.ConnectError("the name has no address")
    for address in addresses:
        request = client.build_request(
            "GET",
            url.copy_with(host=address),
            headers={"host": url.netloc.decode(), "accept-encoding": "identity"},
            extensions={"sni_hostname": url.raw_host.decode()},  # certificates are checked against the name
        )
        try:
            return await client.send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            failure = error
    raise failure


def _media_type(item: MediaUrl, shown: str, header: str) -> str:
    told = header.partition(";")[0].strip().lower()
    expected = ending_type(item)
    found = expected if told in UNTOLD else told
    if found is None:
        raise DownloadError(shown, "neither its server nor its ending says what it is")
    if not _fits(item, found, expected):
        noun = item.kind.removesuffix("-url")
        raise DownloadError(shown, f"it is of type {found!r}, which is not {expected or f'the {noun} it should be'}")
    return found


def _fits(item: MediaUrl, found: str, expected: str | None) -> bool:
    match item:
        case ImageUrl():
            return found.startswith("image/")
        case AudioUrl():
            return found.startswith("audio/")
        case VideoUrl():
            return found.startswith("video/")
        case DocumentUrl():
            # A page where a file should be is a login or an error, whatever its status.
            page = found == "text/html" and expected not in {None, found}
            return not page and (found.startswith("text/") or BinaryContent(b"", found).is_document)
        case _:
            assert_never(item)


def shown_url(url: str) -> str:
    """The URL as it can be shown: without user, password, query and fragment, where keys are."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        return "(a malformed URL)"
    return f"{parts.scheme}://{parts.netloc.decode()}{parts.path}"
