"""The Gemini API of Google AI Studio."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agentgraph.exceptions import UserError

from .port import Provider, RetrySettings

if TYPE_CHECKING:
    import httpx

__all__ = ["GoogleGLAProvider"]

KEY = "GEMINI_API_KEY"


class GoogleGLAProvider(Provider):
    """Google's service for those who have a key; for those who have a project, see `GoogleVertexProvider`."""

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
            api_key: the key; None: that of `GEMINI_API_KEY`.
            base_url: the address, with the version of the API; None: Google's own.
            http_client: as for `Provider`.
            max_retries: as for `Provider`.

        Raises:
            UserError: there is no key, or the address is no URL.
        """
        key = api_key or os.environ.get(KEY)
        if not key:
            raise UserError(f"no key for 'google-gla': set the environment variable {KEY} or pass `api_key=`")
        super().__init__(
            "google-gla",
            base_url or "https://generativelanguage.googleapis.com/v1beta",
            headers={"x-goog-api-key": key},
            http_client=http_client,
            max_retries=max_retries,
        )
