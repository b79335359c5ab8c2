"""Providers by name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from inspect import signature

from agentgraph.exceptions import UserError

from .port import Provider
from .services import SERVICES

__all__ = ["infer_provider", "settle_provider"]

PROVIDERS: Mapping[str, str] = {
    "anthropic": "anthropic:AnthropicProvider",
    "azure": "azure:AzureProvider",
    "bedrock": "bedrock:BedrockProvider",
    "cohere": "cohere:CohereProvider",
    "deepseek": "deepseek:DeepSeekProvider",
    "google-gla": "google_gla:GoogleGLAProvider",
    "google-vertex": "google_vertex:GoogleVertexProvider",
    "groq": "groq:GroqProvider",
    "mistral": "mistral:MistralProvider",
}
"""Services with a provider class of their own, as `module:class` below this package."""
TABLE = "openai:OpenAIProvider"
"""The class of all other services, which takes their name."""


def infer_provider(name: str) -> Provider:
    """The provider of this name, with key and address from the environment.

    Raises:
        UserError: no provider has the name, or the environment lacks its key.
    """
    if name not in PROVIDERS and name not in SERVICES:
        known = ", ".join(sorted({*PROVIDERS, *SERVICES}))
        raise UserError(f"there is no provider {name!r}; there are {known}")
    return _made(name, {})


def settle_provider(provider: str | Provider, known: Collection[str], options: Mapping[str, object]) -> Provider:
    """The provider that a model class was given: an object as it is, a name as the provider of that name.

    Args:
        provider: what the model class was given.
        known: the names of providers that speak the model's protocol.
        options: arguments for a provider that is given by name; None: not given.

    Raises:
        UserError: no such provider, no key, or options beside a provider object.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if isinstance(provider, Provider):
        if given:
            raise UserError(f"{', '.join(given)} beside a provider object, which has its own: pass it to the provider")
        return provider
    if provider not in known:
        raise UserError(f"{provider!r} does not speak the protocol of this model; {', '.join(known)} would")
    return _made(provider, given)


def _made(name: str, given: Mapping[str, object]) -> Provider:
    module, _, class_name = PROVIDERS.get(name, TABLE).partition(":")
    made: Callable[..., Provider] = getattr(import_module(f"{__package__}.{module}"), class_name)
    unknown = [option for option in given if option not in signature(made).parameters]
    if unknown:
        raise UserError(f"{name!r} takes no {', '.join(unknown)}: make a {class_name} of what it takes")
    return made(**given) if name in PROVIDERS else made(service=name, **given)
