"""OpenAI's models at Azure."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import quote

from agentgraph.exceptions import UserError

from .port import Provider, RetrySettings

if TYPE_CHECKING:
    import httpx

__all__ = ["AzureProvider"]

KEY, ENDPOINT, VERSION = "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT", "OPENAI_API_VERSION"
V1 = "/openai/v1"
OF_DEPLOYMENTS = "/chat/completions"


class AzureProvider(Provider):
    """A resource of Azure that serves models; what a model is called there is the name of its deployment.

    With a version, requests go to the API of that version; without one, to `v1`, which has none.
    """

    def __init__(
        self,
        *,
        azure_endpoint: str | None = None,
        api_version: str | None = None,
        api_key: str | None = None,
        http_client: httpx.AsyncClient | None = None,
        max_retries: int | RetrySettings = 2,
    ) -> None:
        """Settle resource, version and key.

        Args:
            azure_endpoint: the resource's address, such as `https://name.openai.azure.com`; None: that of
                `AZURE_OPENAI_ENDPOINT`.
            api_version: the version of the API, such as `2024-10-21`; None: that of `OPENAI_API_VERSION`, if it is set.
            api_key: the key; None: that of `AZURE_OPENAI_API_KEY`.
            http_client: as for `Provider`. It can let itself in by other means than a key, such as a token of Entra ID.
            max_retries: as for `Provider`.

        Raises:
            UserError: there is no address, or it is no URL, or there is neither a key nor a client.
        """
        endpoint = (azure_endpoint or os.environ.get(ENDPOINT) or "").strip().rstrip("/")
        if not endpoint:
            raise UserError(
                f"no address for 'azure': set the environment variable {ENDPOINT} or pass `azure_endpoint=`"
            )
        key = api_key or os.environ.get(KEY)
        if not key and http_client is None:
            raise UserError(f"no key for 'azure': set the environment variable {KEY} or pass `api_key=`")
        endpoint = endpoint.removesuffix(V1).removesuffix("/openai")
        self._version = api_version or os.environ.get(VERSION)
        super().__init__(
            "azure",
            f"{endpoint}/openai" if self._version else f"{endpoint}{V1}",
            headers={"api-key": key} if key else None,
            http_client=http_client,
            max_retries=max_retries,
        )

    def route(self, path: str, model_name: str) -> str:
        """Below the model's deployment where the version wants it so, and with the version."""
        if not self._version:
            return path
        place = f"/deployments/{quote(model_name, safe='')}" if path == OF_DEPLOYMENTS else ""
        return f"{place}{path}?api-version={quote(self._version, safe='')}"
