"""Bedrock, the service of AWS for the models of many makers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pydantic import SecretStr
from typing_extensions import TypedDict, Unpack

from agentgraph.exceptions import UserError

from .port import Provider, RetrySettings

if TYPE_CHECKING:
    import httpx

    from .aws_credentials import AwsAccount

__all__ = ["BedrockOptions", "BedrockProvider"]

BEARER, BASE_URL = "AWS_BEARER_TOKEN_BEDROCK", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"
REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")


class BedrockOptions(TypedDict, total=False):
    """What a `BedrockProvider` takes beside account and region."""

    api_key: str | None
    """A key of Bedrock itself, sent as it is, instead of an account's signature; None: `AWS_BEARER_TOKEN_BEDROCK`."""
    base_url: str | None
    """The address; None: that of `AWS_ENDPOINT_URL_BEDROCK_RUNTIME`, else that of the region."""
    http_client: httpx.AsyncClient | None
    """As for `Provider`."""
    max_retries: int | RetrySettings
    """As for `Provider`."""


class BedrockProvider(Provider):
    """AWS's service; needs the extra `bedrock`."""

    def __init__(
        self,
        *,
        region_name: str | None = None,
        aws_access_key_id: str | None = None,
        aws_secret_access_key: str | None = None,
        aws_session_token: str | None = None,
        profile_name: str | None = None,
        **options: Unpack[BedrockOptions],
    ) -> None:
        """Settle account, region and address.

        Args:
            region_name: where the model runs; None: `AWS_REGION`, `AWS_DEFAULT_REGION`, or the region of the profile.
            aws_access_key_id: an account's key; None: what botocore finds in the environment, the profile, or the
                machine, when the first request is sent.
            aws_secret_access_key: its secret half.
            aws_session_token: the token that temporary keys come with.
            profile_name: a profile of the configuration files; None: that of `AWS_PROFILE`, else the default one.
            **options: see `BedrockOptions`.

        Raises:
            UserError: there is no region, half of a key, no such profile, or botocore is not installed.
        """
        # Late: all that others need of AWS is an address.
        from .aws_credentials import AwsAccount, AwsAuth

        given = aws_access_key_id or profile_name
        bearer = options.get("api_key") or (None if given else os.environ.get(BEARER))
        region = region_name or next(filter(None, map(os.environ.get, REGIONS)), None)
        self._account: AwsAccount | None = None
        if not (bearer and region):
            self._account = AwsAccount(
                aws_access_key_id, _secret(aws_secret_access_key), _secret(aws_session_token), profile_name
            )
            region = region or self._account.region
        if not region:
            raise UserError("no region for 'bedrock': set AWS_REGION or pass `region_name=`")
        self._region = region
        self._aws_auth = AwsAuth(self._account, region) if self._account is not None and not bearer else None
        super().__init__(
            "bedrock",
            options.get("base_url") or os.environ.get(BASE_URL) or _address(region),
            headers={"authorization": f"Bearer {bearer}"} if bearer else None,
            http_client=options.get("http_client"),
            max_retries=options.get("max_retries", 2),
        )

    @property
    def region(self) -> str:
        """Where the model runs."""
        return self._region

    @property
    def auth(self) -> httpx.Auth | None:
        return self._aws_auth or super().auth

    def _secrets(self) -> list[str]:
        return [*super()._secrets(), *(self._account.secrets() if self._account is not None else ())]


def _secret(value: str | None) -> SecretStr | None:
    return None if value is None else SecretStr(value)


def _address(region: str) -> str:
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://bedrock-runtime.{region}.{domain}"
