"""Gemini on Vertex AI, in a project of Google Cloud."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentgraph.exceptions import UserError

from .port import Provider, RetrySettings

if TYPE_CHECKING:
    import httpx

__all__ = ["GoogleVertexProvider"]

PROJECT, REGION = "GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION"


class GoogleVertexProvider(Provider):
    """Google's service for those who have a project; needs the extra `vertex`."""

    def __init__(
        self,
        *,
        service_account_file: str | Path | None = None,
        service_account_info: Mapping[str, Any] | None = None,  # Any: JSON
        project_id: str | None = None,
        region: str | None = None,
        base_url: str | None = None,
        http_client: httpx.AsyncClient | None = None,
        max_retries: int | RetrySettings = 2,
    ) -> None:
        """Settle credentials, project and address.

        Args:
            service_account_file: the file of a service account. Without it and without `service_account_info`, the
                environment's default credentials are taken.
            service_account_info: the content of such a file.
            project_id: the project; None: that of `GOOGLE_CLOUD_PROJECT`, else of the credentials.
            region: where the model runs, such as `europe-west4` or `global`; None: that of `GOOGLE_CLOUD_LOCATION`,
                else `us-central1`.
            base_url: the address up to and with the publisher; None: Google's own for project and region.
            http_client: as for `Provider`.
            max_retries: as for `Provider`.

        Raises:
            UserError: there are no credentials that work, no project, or google-auth is not installed.
        """
        # Late: all that others need of Google is an address.
        from .google_credentials import GoogleAuth, find_credentials

        self._credentials, own_project = find_credentials(service_account_file, service_account_info)
        self._google_auth = GoogleAuth(self._credentials)
        self._project_id = project_id or os.environ.get(PROJECT) or own_project
        self._region = region or os.environ.get(REGION) or "us-central1"
        if not (self._project_id or base_url):
            raise UserError(f"no project for 'google-vertex': set {PROJECT} or pass `project_id=`")
        super().__init__("google-vertex", base_url or self._address(), http_client=http_client, max_retries=max_retries)

    @property
    def project_id(self) -> str | None:
        """The project that pays; None if `base_url` alone says where to go."""
        return self._project_id

    @property
    def region(self) -> str:
        """Where the model runs."""
        return self._region

    @property
    def auth(self) -> httpx.Auth:
        return self._google_auth

    def _address(self) -> str:
        host = "aiplatform.googleapis.com" if self._region == "global" else f"{self._region}-aiplatform.googleapis.com"
        return f"https://{host}/v1beta1/projects/{self._project_id}/locations/{self._region}/publishers/google"

    def _secrets(self) -> list[str]:
        token = self._credentials.token
        return [token] if token else []
