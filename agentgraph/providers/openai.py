"""OpenAI, and every service that speaks its dialect."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agentgraph.exceptions import UserError

from .port import Provider, RetrySettings
from .services import SERVICES, ChatProfile

if TYPE_CHECKING:
    import httpx

__all__ = ["OpenAIProvider"]


class OpenAIProvider(Provider):
    """A service of the table `SERVICES`, OpenAI itself if none is named; `base_url` leads to any other one."""

    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        http_client: httpx.AsyncClient | None = None,
        service: str = "openai",
        max_retries: int | RetrySettings = 2,
        profile: ChatProfile | None = None,
    ) -> None:
        """Settle key and address.

        Args:
            api_key: the key; None: the environment variable of the service.
            base_url: the address; None: the environment variable of the service if it has one, else its own address.
            http_client: as for `Provider`.
            service: an entry of `SERVICES`.
            max_retries: as for `Provider`.
            profile: how requests have to look, for a service that is in no table; None: as for `service`.

        Raises:
            UserError: there is no key where the service needs one, no such service, or an address that is no URL.
        """
        entry = SERVICES.get(service)
        if entry is None:
            raise UserError(f"there is no service {service!r}; there are {', '.join(sorted(SERVICES))}")
        elsewhere = base_url or (entry.base_url_variable and os.environ.get(entry.base_url_variable))
        key = api_key or os.environ.get(entry.key)
        if not key and entry.key_required and not elsewhere:
            raise UserError(f"no key for {service!r}: set the environment variable {entry.key} or pass `api_key=`")
        super().__init__(
            service,
            elsewhere or entry.base_url,
            headers={"authorization": f"Bearer {key}"} if key else None,
            http_client=http_client,
            max_retries=max_retries,
        )
        self._profile = entry.chat if profile is None else profile

    @property
    def profile(self) -> ChatProfile:
        """How the service wants a chat request to look."""
        return self._profile
