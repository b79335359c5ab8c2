"""Mistral: chat completions in a dialect of their own."""

from __future__ import annotations

from typing import Literal

from agentgraph.providers import Provider, settle_provider
from agentgraph.providers.clients import AsyncClient
from agentgraph.providers.services import SERVICES
from agentgraph.settings import ModelSettings

from .chat import ChatModel
from .openai_settings import profile_of
from .wire import JSON

__all__ = ["MistralModel", "MistralModelSettings"]


class MistralModelSettings(ModelSettings, total=False):
    """Settings that Mistral has beside the common ones; each is the field without `mistral_`."""

    mistral_safe_prompt: bool
    """Whether an instruction for safety is put before the conversation."""
    mistral_prompt_mode: Literal["reasoning"]
    """Put the service's own instruction to think before the conversation."""
    mistral_reasoning_effort: Literal["none", "high"]
    """Whether to think; wins over `thinking`."""
    mistral_prompt_cache_key: str
    """Requests of the same key are routed to where their common beginning is cached."""
    mistral_prediction: JSON
    """Text that most of the reply is expected to repeat."""
    mistral_metadata: JSON
    """What the request is kept with."""


class MistralModel(ChatModel):
    """A model behind Mistral's own service."""

    def __init__(
        self,
        model_name: str,
        *,
        provider: str | Provider = "mistral",
        api_key: str | None = None,
        base_url: str | None = None,
        http_client: AsyncClient | None = None,
    ) -> None:
        """Settle which model, and where.

        Args:
            model_name: the name that the service knows it by.
            provider: `mistral`, or a provider.
            api_key: the key of the service given by name.
            base_url: the address of the service given by name.
            http_client: the client for the service given by name.

        Raises:
            UserError: no such service, no key, or key, address or client beside a provider that has its own.
        """
        options = {"api_key": api_key, "base_url": base_url, "http_client": http_client}
        settled = settle_provider(provider, ("mistral",), options)
        super().__init__(model_name, settled, profile_of(SERVICES["mistral"].chat, model_name))
