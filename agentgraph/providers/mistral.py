"""Mistral."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .openai import OpenAIProvider
from .port import RetrySettings

if TYPE_CHECKING:
    import httpx

__all__ = ["MistralProvider"]


class MistralProvider(OpenAIProvider):
    """Mistral's own service; the key is that of `MISTRAL_API_KEY` unless one is given."""

    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        http_client: httpx.AsyncClient | None = None,
        max_retries: int | RetrySettings = 2,
    ) -> None:
        super().__init__(
            api_key=api_key, base_url=base_url, http_client=http_client, service="mistral", max_retries=max_retries
        )
