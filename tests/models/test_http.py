from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest

from agentgraph.exceptions import UserError
from agentgraph.models.http import Call, fetch, retry_after
from agentgraph.providers import Provider, RetrySettings

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3),
        ("0.25", 0.25),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30),
        ("Thu, 01 Jan 2026 12:00:30", 30),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("-1", None),
        ("²", None),
        ("", None),
    ],
)
def test_a_service_says_how_long_to_wait(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value}, NOW) == seconds


def test_a_service_that_says_nothing_is_not_waited_for() -> None:
    assert retry_after({}, NOW) is None


def provider(error: Exception, waits: list[float] | None = None) -> Provider:
    def fail(_: httpx.Request) -> httpx.Response:
        raise error

    async def sleep(seconds: float) -> None:
        if waits is not None:
            waits.append(seconds)

    client = httpx.AsyncClient(transport=httpx.MockTransport(fail))
    retries = RetrySettings(max_retries=3, first_delay=1, longest_delay=3, sleep=sleep)
    return Provider("there", "http://there/v1", http_client=client, max_retries=retries)


def call(to: Provider) -> Call:
    return Call(provider=to, model_name="m", path="/x", body={})


@pytest.mark.anyio
async def test_waits_double_up_to_a_bound_with_jitter() -> None:
    waits: list[float] = []
    with pytest.raises(RuntimeError, match="could not be reached"):
        await fetch(call(provider(httpx.ConnectError("no route"), waits)))
    assert len(waits) == 3
    assert all(least <= wait <= least + 1 for least, wait in zip((1, 2, 3), waits, strict=True))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (httpx.ConnectTimeout("x"), 4),
        (httpx.ReadError("x"), 4),
        (httpx.RemoteProtocolError("x"), 4),
        (httpx.ReadTimeout("x"), 1),
        (httpx.LocalProtocolError("x"), 1),
        (httpx.DecodingError("x"), 1),
    ],
)
async def test_only_what_may_pass_is_tried_again(error: Exception, tries: int) -> None:
    waits: list[float] = []
    with pytest.raises(RuntimeError, match=type(error).__name__):
        await fetch(call(provider(error, waits)))
    assert len(waits) == tries - 1


@pytest.mark.anyio
async def test_an_address_that_is_none_is_the_callers_mistake() -> None:
    with pytest.raises(UserError, match="base URL of 'there'"):
        await fetch(call(provider(httpx.InvalidURL("x"))))


def test_a_call_is_shown_without_its_headers() -> None:
    shown = Call(provider=provider(OSError()), model_name="m", path="/x", body={}, headers={"x-key": "secret-1"})
    assert "secret-1" not in repr(shown)
    assert str(shown) == "model 'm' of 'there' at http://there/v1"
    assert shown.redact("it was secret-1") == "it was [redacted]"
