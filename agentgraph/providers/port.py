"""What a wire client needs to know about a service, whatever it speaks.

A provider holds an address, credentials and how often to try; it builds no request and reads no answer. Credentials
leave it in one way only: `auth` puts them on a request at the moment it is sent. They are in no repr, and `redact`
takes them out of whatever the service sends back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
from pydantic import SecretStr

from agentgraph.exceptions import UserError

if TYPE_CHECKING:
    import httpx

__all__ = ["Provider", "RetrySettings"]

REDACTED = "[redacted]"


@dataclass(frozen=True, kw_only=True)
class RetrySettings:
    """How a request is tried again after a failed connection or a status that may pass (408, 409, 429, 5xx)."""

    max_retries: int = 2
    """Tries after the first one."""
    first_delay: float = 0.5
    """Seconds before the first retry; each further wait is twice as long, with up to this much jitter on top."""
    longest_delay: float = 8.0
    """Seconds that a wait of our own choosing lasts at most."""
    longest_retry_after: float = 60.0
    """Seconds that a wait which the service asked for (`retry-after`) lasts at most."""
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    """What waits."""


class Provider:
    """A service at an address, with the headers that let us in."""

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        http_client: httpx.AsyncClient | None = None,
        max_retries: int | RetrySettings = 2,
    ) -> None:
        """Settle where the service is.

        Args:
            name: what the service is called in names, such as `openai`.
            base_url: what the paths of the protocol are appended to; http or https.
            headers: headers whose values are secret, such as `authorization`.
            http_client: used for all requests, on whatever event loop; closing it is the caller's. None: one client
                per event loop, closed with it.
            max_retries: tries after the first one, or the whole of `RetrySettings`.

        Raises:
            UserError: the address is no URL, or a header cannot be sent.
        """
        self._name = name
        self._base_url = _checked_url(name, base_url)
        self._headers = {key: SecretStr(_checked_header(name, key, value)) for key, value in (headers or {}).items()}
        self._parts = [part for value in self._headers.values() for part in _parts(value)]
        self._client = http_client
        self.retries = max_retries if isinstance(max_retries, RetrySettings) else RetrySettings(max_retries=max_retries)
        """How requests are tried again."""

    @property
    def name(self) -> str:
        """What the service is called in names."""
        return self._name

    @property
    def base_url(self) -> str:
        """What paths are appended to, without a slash at its end."""
        return self._base_url

    def route(self, path: str, model_name: str) -> str:
        """Where below the base URL this service has a protocol's path for a model: at the path itself."""
        del model_name
        return path

    @property
    def client(self) -> httpx.AsyncClient:
        """The client to send with: the one given, or that of the running event loop for services of this name."""
        if self._client is not None:
            return self._client
        from .clients import cached_async_http_client

        return cached_async_http_client(provider=self._name)

    @property
    def auth(self) -> httpx.Auth | None:
        """Puts the credentials on a request."""
        if not self._headers:
            return None
        from .clients import HeaderAuth

        return HeaderAuth(self._headers)

    def redact(self, text: str) -> str:
        """The text without any of this provider's secrets, should a service echo one."""
        for secret in self._secrets():
            text = text.replace(secret, REDACTED)
        return text

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self._name!r}, base_url={self._base_url!r})"

    def _secrets(self) -> list[str]:
        return [secret.get_secret_value() for secret in self._parts]


def _parts(value: SecretStr) -> list[SecretStr]:
    """What of a header is secret: `Bearer KEY` as well as KEY, but nothing so short that ordinary words hold it."""
    whole = value.get_secret_value()
    return [SecretStr(part) for part in dict.fromkeys((whole, whole.rpartition(" ")[2])) if len(part) > 3]  # noqa: PLR2004


def _checked_url(name: str, base_url: str) -> str:
    url = base_url.strip().rstrip("/")
    if not _is_address(url):
        # Nothing of the URL is repeated here: what is wrong about it may be the password in it.
        raise UserError(
            f"the base URL of {name!r} has to begin with http:// or https:// and name a host, without user, password "
            "and query; credentials other than a key belong into an `http_client`"
        )
    return url


def _is_address(url: str) -> bool:
    """Whether it is a URL that may be shown in errors and logs, and that paths can be appended to."""
    try:
        parts = urlsplit(url)
        plain = not ("@" in parts.netloc or parts.query or parts.fragment)
        return (
            parts.scheme in {"http", "https"}
            and bool(parts.hostname)
            and plain
            and url.isprintable()
            and " " not in url
        )
    except ValueError:
        return False


def _checked_header(name: str, key: str, value: str) -> str:
    # The HTTP library would refuse these too, with the whole value in its message.
    value = value.strip()
    if not (value and value.isascii() and value.isprintable()):
        raise UserError(f"the key of {name!r} cannot be sent as the header {key!r}: it is empty or has odd characters")
    return value
