"""Google's credentials: found and signed by google-auth, refreshed over our own HTTP library.

google-auth belongs to the extra `vertex` and is imported when a provider is made. It blocks while it refreshes, so that
is done in a worker thread, by one request at a time; a token lasts an hour.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Generator, Mapping, MutableMapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import anyio.to_thread
import httpx

from agentgraph.exceptions import UserError

__all__ = ["Credentials", "GoogleAuth", "find_credentials"]

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
PATIENCE = 30.0
"""Seconds that a refresh waits for Google where google-auth itself does not say."""


class Credentials(Protocol):
    """What we use of google-auth's credentials."""

    token: str | None

    @property
    def valid(self) -> bool:
        """Whether the token is there and good for some minutes more."""
        ...

    def refresh(self, request: object) -> None:
        """Get another token."""
        ...

    def apply(self, headers: MutableMapping[str, str]) -> None:
        """Put the token on a request."""
        ...


@dataclass(frozen=True)
class _Answer:
    """A response, in the words of google-auth."""

    status: int
    headers: Mapping[str, str]
    data: bytes


def find_credentials(file: str | Path | None, info: Mapping[str, Any] | None) -> tuple[Credentials, str | None]:
    """Credentials and the project that they name, if any.

    Args:
        file: a service account's file of Google's.
        info: the content of such a file. Without either, the environment is asked for its default credentials.

    Raises:
        UserError: there are none, they are of no use, or google-auth is not installed.
    """
    try:
        auth: Any = import_module("google.auth")  # Any: the library has hardly any annotations
        service_account: Any = import_module("google.oauth2.service_account")  # Any: as above
    except ModuleNotFoundError:
        raise UserError("google-vertex needs google-auth: install 'agentgraph[vertex]'") from None
    accounts = service_account.Credentials
    try:
        if file is not None:
            found = accounts.from_service_account_file(str(file), scopes=SCOPES)
        elif info is not None:
            found = accounts.from_service_account_info(info, scopes=SCOPES)
        else:
            default: tuple[Credentials, str | None] = auth.default(scopes=SCOPES, request=_request)
            return default
    except (OSError, ValueError, auth.exceptions.GoogleAuthError) as error:
        # Of what is wrong with the content nothing is repeated: it may be a part of the key.
        reason = str(error) if isinstance(error, OSError) else type(error).__name__
    else:
        return found, found.project_id
    raise UserError(
        f"no Google credentials that work ({reason}): set GOOGLE_APPLICATION_CREDENTIALS, run `gcloud auth "
        "application-default login`, or pass `service_account_file=` or `service_account_info=`"
    )


class GoogleAuth(httpx.Auth):
    """Puts a token on each request, a new one if need be."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._lock = threading.Lock()

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Block while the token is refreshed."""
        self._put(request, self._refreshed())
        yield request

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Wait for a thread that refreshes the token.

        Raises:
            UserError: Google refuses the credentials.
            httpx.ConnectError: it could not be asked.
        """
        fresh = self._credentials.valid
        self._put(request, None if fresh else await anyio.to_thread.run_sync(self._refreshed))
        yield request

    def _put(self, request: httpx.Request, failure: Exception | None) -> None:
        if failure is not None:
            raise failure
        self._credentials.apply(request.headers)

    def _refreshed(self) -> Exception | None:
        """Make the token valid; what went wrong is handed back, so that no secret is left in its chain."""
        exceptions: Any = import_module("google.auth.exceptions")  # Any: as above
        with self._lock:
            if self._credentials.valid:
                return None
            try:
                self._credentials.refresh(_request)
            except exceptions.GoogleAuthError as error:
                reason = str(error.args[0]) if error.args else type(error).__name__
                if isinstance(error, exceptions.TransportError) or error.retryable:
                    return httpx.ConnectError(f"no access token from Google: {reason}")
                return UserError(f"Google refuses the credentials of 'google-vertex': {reason}")
        return None


def _request(
    url: str,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float | None = None,
    **_: object,
) -> _Answer:
    """google-auth's way to the network, as it asks for it."""
    exceptions: Any = import_module("google.auth.exceptions")  # Any: as above
    try:
        answer = httpx.request(
            method, url, content=body, headers=headers, timeout=timeout or PATIENCE, follow_redirects=False
        )
    except httpx.HTTPError as error:
        reason = type(error).__name__
    else:
        return _Answer(answer.status_code, answer.headers, answer.content)
    failure: Exception = exceptions.TransportError(f"{url} could not be reached: {reason}")
    raise failure
