"""Credentials of AWS: found and signed with by botocore, sent by our own HTTP library.

botocore belongs to the extra `bedrock` and is imported when a provider is made. Looking for credentials, and renewing
those that end, may block (files, processes, the network of a machine in the cloud), so a request is signed in a worker
thread.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping
from importlib import import_module
from typing import Any, Protocol

import anyio.to_thread
import httpx
from pydantic import SecretStr

from agentgraph.exceptions import UserError

__all__ = ["AwsAccount", "AwsAuth", "FrozenKeys"]

MISSING = "'bedrock' needs botocore: install 'agentgraph[bedrock]'"
SIGNED = ("content-type",)
"""Headers of a request that its signature covers, beside those that botocore adds and the host."""


class FrozenKeys(Protocol):
    """The keys of one moment, as botocore has them."""

    access_key: str
    secret_key: str
    token: str | None


class _Credentials(Protocol):
    def get_frozen_credentials(self) -> FrozenKeys: ...


class _Session(Protocol):
    def get_credentials(self) -> _Credentials | None: ...

    def get_config_variable(self, name: str) -> str | None: ...


class AwsAccount:
    """Where keys come from: those that were given, else what botocore finds as every tool of AWS does."""

    def __init__(
        self, access_key: str | None, secret_key: SecretStr | None, token: SecretStr | None, profile: str | None
    ) -> None:
        """Settle the source; nothing is looked for yet.

        Raises:
            UserError: only one half of a key was given, there is no such profile, or botocore is not installed.
        """
        if (access_key is None) != (secret_key is None):
            raise UserError("aws_access_key_id and aws_secret_access_key belong together: pass both, or none of them")
        self._session = _session(profile)
        self._found: _Credentials | None = None
        if access_key is not None and secret_key is not None:
            self._found = _given(access_key, secret_key, token)
        self._shown: set[str] = set()

    @property
    def region(self) -> str | None:
        """The region of the environment or of the profile."""
        return self._session.get_config_variable("region")

    def keys(self) -> FrozenKeys:
        """The keys of this moment; may block.

        Raises:
            UserError: there are none.
        """
        exceptions: Any = import_module("botocore.exceptions")  # Any: the library has no annotations
        try:
            self._found = self._found or self._session.get_credentials()
            keys = None if self._found is None else self._found.get_frozen_credentials()
        except exceptions.BotoCoreError as error:
            keys, problem = None, f"; what was found cannot be used: {error}"
        else:
            problem = ""
        if keys is None:
            raise UserError(
                "no credentials for 'bedrock': set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile "
                f"(`profile_name=`), or pass a key (`api_key=`, AWS_BEARER_TOKEN_BEDROCK){problem}"
            )
        self._shown |= {secret for secret in (keys.secret_key, keys.token) if secret}
        return keys

    def secrets(self) -> set[str]:
        """The secrets that were used so far."""
        return self._shown


class AwsAuth(httpx.Auth):
    """Signs each request as it is sent (Signature Version 4)."""

    requires_request_body = True

    def __init__(self, account: AwsAccount, region: str) -> None:
        self._account, self._region = account, region

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign the request; nothing is negotiated."""
        self._sign(request)
        yield request

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Sign the request in a worker thread."""
        await anyio.to_thread.run_sync(self._sign, request)
        yield request

    def _sign(self, request: httpx.Request) -> None:
        if "authorization" in request.headers:
            return
        headers = {name: request.headers[name] for name in SIGNED if name in request.headers}
        request.headers.update(self._signature(request, headers))

    def _signature(self, request: httpx.Request, headers: Mapping[str, str]) -> dict[str, str]:
        auth: Any = import_module("botocore.auth")  # Any: the library has no annotations
        awsrequest: Any = import_module("botocore.awsrequest")  # Any: as above
        signed = awsrequest.AWSRequest(
            method=request.method, url=str(request.url), data=request.content, headers=dict(headers)
        )
        auth.SigV4Auth(self._account.keys(), "bedrock", self._region).add_auth(signed)
        return {name: value for name, value in signed.headers.items() if name.lower() not in headers}


def _session(profile: str | None) -> _Session:
    try:
        botocore: Any = import_module("botocore.session")  # Any: the library has no annotations
        exceptions: Any = import_module("botocore.exceptions")  # Any: as above
    except ModuleNotFoundError:
        raise UserError(MISSING) from None
    session = botocore.Session(profile=profile)
    try:
        session.get_scoped_config()  # the one question that fails for a profile that there is none of
    except exceptions.BotoCoreError as error:
        problem = str(error)
    else:
        found: _Session = session
        return found
    raise UserError(f"the configuration of AWS cannot be used: {problem}")


def _given(access_key: str, secret_key: SecretStr, token: SecretStr | None) -> _Credentials:
    """Keys that the caller gave; they do not end."""
    library: Any = import_module("botocore.credentials")  # Any: the library has no annotations
    credentials: _Credentials = library.Credentials(
        access_key, secret_key.get_secret_value(), None if token is None else token.get_secret_value()
    )
    return credentials
