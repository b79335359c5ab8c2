"""OpenAI's chat, and every service that speaks its dialect."""

from __future__ import annotations

from dataclasses import replace

from agentgraph.providers import Provider, settle_provider
from agentgraph.providers.clients import AsyncClient
from agentgraph.providers.services import SERVICES, SystemRole

from .chat import ChatModel, dialect
from .openai_settings import OpenAIModelSettings

__all__ = ["OpenAIModel", "OpenAIModelSettings"]


class OpenAIModel(ChatModel):
    """A model behind OpenAI's chat protocol, wherever it is served."""

    def __init__(
        self,
        model_name: str,
        *,
        provider: str | Provider = "openai",
        system_prompt_role: SystemRole | None = None,
        api_key: str | None = None,
        base_url: str | None = None,
        http_client: AsyncClient | None = None,
    ) -> None:
        """Settle which model, and where.

        Args:
            model_name: the name that the service knows it by.
            provider: a service by name, with key and address from the environment; or a provider.
            system_prompt_role: whose words system prompts are; None: what the model wants.
            api_key: the key of a service given by name.
            base_url: the address of a service given by name.
            http_client: the client for a service given by name.

        Raises:
            UserError: no such service, no key, or key, address or client beside a provider that has its own.
        """
        options = {"api_key": api_key, "base_url": base_url, "http_client": http_client}
        settled = settle_provider(provider, ("azure", *SERVICES), options)
        profile = dialect(settled, model_name)
        profile = profile if system_prompt_role is None else replace(profile, system_role=system_prompt_role)
        super().__init__(model_name, settled, profile)
