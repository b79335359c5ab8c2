"""Requests to model services: sent, tried again, bounded, and their failures named.

The one place where models touch HTTP. Three rules hold for all that leaves it:

- A request is tried again only while nothing of its answer was used: a plain one until its body is there, a streamed
  one until its first bytes are.
- Whatever fails is an exception of ours, raised outside of any `except` block: the HTTP library's exceptions hold the
  request and with it the key, so none of them may stay behind in a chain.
- What comes in has the provider's secrets taken out before anybody sees it.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TypeVar

import anyio
import httpx
from pydantic_core import PydanticSerializationError, to_json
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from agentgraph.exceptions import AgentRunError, ModelHTTPError, UnexpectedModelBehavior, UserError
from agentgraph.providers import Provider, RetrySettings
from agentgraph.providers.clients import cached_async_http_client

from .sse import SSE, Event, Framing

__all__ = ["Call", "EventStream", "cached_async_http_client", "close_response", "event_stream", "fetch", "retry_after"]

MAX_BODY = 64 * 2**20
"""Bytes of an answer, decompressed, beyond which it is given up."""
MAX_ERROR = 20_000
"""Characters of an answer that an error keeps."""
DRAIN = 0.5
"""Seconds that an answer whose protocol has ended may take to end itself, so that its connection can be used again."""
PASSING = frozenset({408, 409, 429})

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request to a model."""

    provider: Provider
    model_name: str
    path: str
    """Appended to the provider's base URL."""
    body: object
    """What the request's JSON is made from."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    timeout: float | None = None
    """Seconds without any progress before it is given up; None: the client's own."""

    def __str__(self) -> str:
        return f"model {self.model_name!r} of {self.provider.name!r} at {self.provider.base_url}"

    def redact(self, text: str) -> str:
        """The text without the provider's secrets and without the values of this call's own headers for keys."""
        text = self.provider.redact(text)
        for name, value in self.headers.items():
            secret = value.rpartition(" ")[2]
            if secret and any(word in name.lower() for word in ("auth", "key", "token", "secret", "cookie")):
                text = text.replace(secret, "[redacted]")
        return text


class _FailingStatusError(Exception):
    """An attempt was answered by a failing status."""

    def __init__(self, response: httpx.Response, text: str) -> None:
        self.status, self.headers, self.text = response.status_code, response.headers, text
        super().__init__(response.status_code)


async def fetch(call: Call) -> str:
    """Send a request and read its JSON answer, as text.

    Raises:
        ModelHTTPError: the status is a failing one.
        UnexpectedModelBehavior: the service cannot be reached, or its answer is cut off, too long or no JSON.
    """

    async def attempt() -> str:
        response = await _send(call)
        try:
            text = await _read(call, response)
        finally:
            await response.aclose()
        _expect(call, response, text, "json")
        return text

    return await _with_retries(call, attempt)


class EventStream(AsyncIterator[Event]):
    """The events of a streamed answer; see `event_stream`."""

    def __init__(self, call: Call, response: httpx.Response, framing: Framing) -> None:
        self._call, self._response = call, response
        plain = not ("content-encoding" in response.headers or response.is_stream_consumed)
        self._bytes = response.aiter_raw() if plain else response.aiter_bytes()
        self._decoder = framing.decoder()
        self._ready: deque[Event] = deque()
        self._received = 0
        self._ended = False
        self._failure: UnexpectedModelBehavior | None = None

    async def __anext__(self) -> Event:
        # A failure ends the bytes and is raised here: further down it would show what came last, and a secret with it.
        while not self._ready:
            if self._ended or self._failure is not None or not await self._receive():
                await self._drain()
                raise StopAsyncIteration if self._failure is None else self._failure
        event = self._ready.popleft()
        data = self._call.redact(event.data)
        return event if data is event.data else Event(event.name, data)

    def finish(self) -> None:
        """Say that the protocol has ended: what still comes is read away, for a moment, and yields no events."""
        self._ended = True
        self._ready.clear()

    async def prefetch(self) -> None:
        """Wait for the first bytes; up to then the request can be tried again."""
        self._take(await anext(self._bytes, b""))

    async def close(self) -> None:
        """Close the connection unless it can be used again."""
        await close_response(self._response, self._bytes)

    async def _receive(self) -> bool:
        """Take in what comes next; False if it is the end."""
        try:
            chunk = await anext(self._bytes, b"")
        except httpx.HTTPError as error:
            self._failure = _unreachable(self._call, error)
            return False
        self._take(chunk)
        return bool(chunk)

    def _take(self, chunk: bytes) -> None:
        self._received += len(chunk)
        if self._received > MAX_BODY:
            self._failure = _too_long(self._call)
            return
        self._ready += self._decoder.feed(chunk)
        if self._decoder.damage is not None:
            self._failure = _damaged(self._call, self._decoder.damage, chunk)

    async def _drain(self) -> None:
        if self._ended:
            with anyio.move_on_after(DRAIN):
                while await self._receive():
                    self._ready.clear()


@asynccontextmanager
async def event_stream(call: Call, framing: Framing = SSE) -> AsyncGenerator[EventStream]:
    """Send a request that is answered by events; leaving the block closes the connection.

    Raises:
        ModelHTTPError: the status is a failing one.
        UnexpectedModelBehavior: the service cannot be reached, or answers with something else than events; also from
            the iteration, if the stream is cut off or too long.
    """

    async def attempt() -> EventStream:
        response = await _send(call)
        try:
            if framing.media_type not in response.headers.get("content-type", ""):
                _expect(call, response, await _read(call, response), framing.media_type.partition("/")[2])
            stream = EventStream(call, response, framing)
            await stream.prefetch()
        except BaseException:
            await response.aclose()
            raise
        return stream

    stream = await _with_retries(call, attempt)
    try:
        yield stream
    finally:
        await stream.close()


async def _send(call: Call) -> httpx.Response:
    """Send once; the response's body is still to come."""
    client = call.provider.client
    request = client.build_request(
        "POST",
        _address(f"{call.provider.base_url}{call.path}"),
        content=_json(call),
        headers={"content-type": "application/json", "accept": "application/json", **call.headers},
        timeout=httpx.USE_CLIENT_DEFAULT if call.timeout is None else httpx.Timeout(call.timeout, pool=None),
    )
    auth = call.provider.auth or httpx.USE_CLIENT_DEFAULT
    response = await client.send(request, stream=True, auth=auth, follow_redirects=False)
    if response.is_success:
        return response
    try:
        text = await _read(call, response)
    finally:
        await response.aclose()
    raise _FailingStatusError(response, text)


@lru_cache
def _address(url: str) -> httpx.URL:
    return httpx.URL(url)  # to take it apart takes longer than anything else about a request


async def _read(call: Call, response: httpx.Response) -> str:
    text = _decoded(call, await _collect(call, response))
    if isinstance(text, UnexpectedModelBehavior):
        raise text
    return text


async def _collect(call: Call, response: httpx.Response) -> bytes:
    pieces: list[bytes] = []
    received = 0
    chunks = response.aiter_bytes()
    async for chunk in chunks:
        received += len(chunk)
        if received > MAX_BODY:
            break
        pieces.append(chunk)
    else:
        return b"".join(pieces)
    pieces.clear()
    await close_response(response, chunks)
    raise _too_long(call)


def _decoded(call: Call, body: bytes) -> str | UnexpectedModelBehavior:
    # Handed back and not raised: this frame holds what the service sent, as it sent it.
    try:
        return call.redact(body.decode())
    except UnicodeDecodeError:
        return _damaged(call, "not valid UTF-8", body)


async def close_response(response: httpx.Response, *readers: AsyncIterator[object]) -> None:
    """Close a response and run out what reads from it.

    Generators that are left suspended would be closed at some later time, on trio with a warning. Once the response is
    closed, they find nothing more to read.
    """
    with anyio.move_on_after(DRAIN, shield=True):
        await response.aclose()
        for reader in readers:
            await _run_out(reader)


async def _run_out(reader: AsyncIterator[object]) -> None:
    with suppress(UnexpectedModelBehavior, httpx.HTTPError, httpx.StreamError):
        async for _ in reader:
            pass


def _expect(call: Call, response: httpx.Response, text: str, wanted: str) -> None:
    """Refuse an answer of another kind: a proxy's page, an error that calls itself a success."""
    kind: str = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if wanted == "json" and (not kind or kind.endswith("json")):
        return
    raise UnexpectedModelBehavior(
        f"{call} answered with {kind or 'an unnamed type'} instead of {wanted}", text[:MAX_ERROR]
    )


async def _with_retries(call: Call, attempt: Callable[[], Awaitable[T]]) -> T:
    failed: list[Exception] = []
    failure: AgentRunError | UserError
    try:
        try:
            return await attempt()
        except (_FailingStatusError, httpx.HTTPError) as error:
            failed.append(error)
        return await _again(call.provider.retries, failed, attempt)
    except _FailingStatusError as error:
        failure = _failing(call, error)
    except httpx.HTTPError as error:
        failure = _unreachable(call, error)
    except httpx.InvalidURL:
        failure = UserError(f"the base URL of {call.provider.name!r} is no URL that a request can be sent to")
    raise failure


async def _again(settings: RetrySettings, failed: list[Exception], attempt: Callable[[], Awaitable[T]]) -> T:
    """Try again after a first attempt that failed; most succeed, and need nothing of this."""

    async def attempt_again() -> T:
        if failed:
            raise failed.pop()
        return await attempt()

    retrying = AsyncRetrying(
        sleep=settings.sleep,
        stop=stop_after_attempt(settings.max_retries + 1),
        retry=retry_if_exception(_may_pass),
        wait=_wait(settings),
        reraise=True,
    )
    return await retrying(attempt_again)


def _may_pass(error: BaseException) -> bool:
    match error:
        case _FailingStatusError():
            return error.status in PASSING or error.status >= 500  # noqa: PLR2004
        case httpx.TimeoutException():
            # The time that the caller allowed has passed; only a connection that was never made costs nothing.
            return isinstance(error, httpx.ConnectTimeout)
        case _:
            return isinstance(error, httpx.TransportError) and not isinstance(error, httpx.LocalProtocolError)


def _wait(settings: RetrySettings) -> Callable[[RetryCallState], float]:
    backoff = wait_exponential(settings.first_delay, settings.longest_delay) + wait_random(0, settings.first_delay)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = retry_after(error.headers, datetime.now(UTC)) if isinstance(error, _FailingStatusError) else None
        return backoff(state) if asked is None else min(asked, settings.longest_retry_after)

    return wait


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds that an answer's `retry-after` asks to wait, be it a number or a date; None if it does not."""
    value = headers.get("retry-after", "").strip()
    if value.replace(".", "", 1).isdecimal():
        return float(value)
    try:
        then = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (then.replace(tzinfo=then.tzinfo or UTC) - now).total_seconds())


def _failing(call: Call, error: _FailingStatusError) -> ModelHTTPError:
    body: object = _excerpt(call, error.text)
    with suppress(ValueError):
        body = json.loads(error.text[:MAX_ERROR])
    if httpx.codes.is_redirect(error.status):
        body = f"redirected, which is refused: set `base_url` to the service's own address. {body}".strip()
    return ModelHTTPError(error.status, call.model_name, body)


def _unreachable(call: Call, error: httpx.HTTPError) -> UnexpectedModelBehavior:
    # A local protocol error quotes what could not be sent, which may be a header.
    detail = "" if isinstance(error, httpx.LocalProtocolError) else call.redact(str(error))
    what = (
        "took too long to answer"
        if isinstance(error, httpx.TimeoutException)
        else "could not be reached or was cut off"
    )
    return UnexpectedModelBehavior(f"{call} {what}: {type(error).__name__} {detail}".rstrip())


def _too_long(call: Call) -> UnexpectedModelBehavior:
    return UnexpectedModelBehavior(f"{call} sent more than {MAX_BODY // 2**20} MiB; the answer was given up")


def _damaged(call: Call, damage: str, body: bytes) -> UnexpectedModelBehavior:
    excerpt = _excerpt(call, body.decode(errors="replace"))
    return UnexpectedModelBehavior(f"the answer of {call} is {damage}", excerpt)


def _excerpt(call: Call, text: str) -> str:
    return call.redact(text)[:MAX_ERROR]


def _json(call: Call) -> bytes:
    try:
        return to_json(call.body)
    except (PydanticSerializationError, ValueError) as error:
        reason = call.redact(str(error))
    raise UserError(f"the request to {call} cannot be written as JSON: {reason}")
