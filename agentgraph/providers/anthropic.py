"""Anthropic."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agentgraph.exceptions import UserError

from .port import Provider, RetrySettings

if TYPE_CHECKING:
    import httpx

__all__ = ["AnthropicProvider"]

KEY, BASE_URL = "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"


class AnthropicProvider(Provider):
    """Anthropic's own service, and by `base_url` any other that speaks its protocol."""

    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        http_client: httpx.AsyncClient | None = None,
        max_retries: int | RetrySettings = 2,
    ) -> None:
        """Settle key and address.

        Args:
            api_key: the key; None: that of `ANTHROPIC_API_KEY`.
            base_url: the address, without the version of the API; None: that of `ANTHROPIC_BASE_URL`, else Anthropic's.
            http_client: as for `Provider`.
            max_retries: as for `Provider`.

        Raises:
            UserError: there is no key, or the address is no URL.
        """
        key = api_key or os.environ.get(KEY)
        if not key:
            raise UserError(f"no key for 'anthropic': set the environment variable {KEY} or pass `api_key=`")
        super().__init__(
            "anthropic",
            base_url or os.environ.get(BASE_URL) or "https://api.anthropic.com",
            headers={"x-api-key": key},
            http_client=http_client,
            max_retries=max_retries,
        )
