"""What the clients of all protocols are made of: a model's name, and the provider that serves it."""

from __future__ import annotations

from dataclasses import replace

from agentgraph.messages import MediaUrl, ModelMessage, ModelResponse
from agentgraph.model import Model
from agentgraph.providers import Provider
from agentgraph.settings import ModelSettings
from agentgraph.usage import Usage

from .downloads import with_downloads
from .http import Call
from .prices import cost_of, price_problem
from .wire import JSON

__all__ = ["ServedModel"]


class ServedModel(Model):
    """A model behind a provider; a protocol adds how to ask it."""

    def __init__(self, model_name: str, provider: Provider) -> None:
        self._model_name = model_name
        self._provider = provider

    @property
    def model_name(self) -> str:
        return self._model_name

    @property
    def system(self) -> str:
        return self._provider.name

    @property
    def base_url(self) -> str:
        return self._provider.base_url

    def price_problem(self) -> str | None:
        return price_problem(self._provider, self._model_name)

    def _priced(self, reply: ModelResponse, usage: Usage) -> tuple[ModelResponse, Usage]:
        """A reply with its price in the usage, if that is known."""
        cost = cost_of(reply, usage, self._provider, self._model_name)
        return reply, usage if cost is None else replace(usage, cost=cost, priced=1)

    async def _with_media(self, messages: list[ModelMessage], settings: ModelSettings | None) -> list[ModelMessage]:
        """The conversation with all media that the service does not fetch by itself as bytes."""
        return await with_downloads(messages, settings, self._needs_bytes)

    def _needs_bytes(self, item: MediaUrl) -> bool:
        """Whether the service takes such media but does not fetch this URL; a protocol says when."""
        return False

    def _call(self, path: str, body: JSON, settings: ModelSettings | None) -> Call:
        """The request of a body to a path of the protocol."""
        settings = settings or {}
        return Call(
            provider=self._provider,
            model_name=self._model_name,
            path=self._provider.route(path, self._model_name),
            body=body,
            headers=settings.get("extra_headers", {}),
            timeout=settings.get("timeout"),
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._model_name!r}, provider={self._provider!r})"
