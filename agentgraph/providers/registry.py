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
    "bedrock": "bedrock:BedrockProvider",
    "cohere": "cohere:CohereProvider",
    "deepseek": "deepseek:DeepSeekProvider",
    "google-gla": "google_gla:GoogleGLAProvider",
    "google-vertex": "google_vertex:GoogleVertexProvider",
}
"""Services with a provider class of their own, as `module:class` below this package."""


def infer_provider(name: str) -> Provider:
    """The provider of this name, with key and address from the environment.

    Raises:
        UserError: no provider has the name, or the environment lacks its key.
    """
    if name in PROVIDERS:
        module, _, class_name = PROVIDERS[name].partition(":")
        made: Callable[[], Provider] = getattr(import_module(f"{__package__}.{module}"), class_name)
        return made()
    if name not in SERVICES:
        known = ", ".join(sorted({*PROVIDERS, *SERVICES}))
        raise UserError(f"there is no provider {name!r}; there are {known}")
    from .openai import OpenAIProvider

    return OpenAIProvider(service=name)


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
    module, _, class_name = PROVIDERS[provider].partition(":")
    made: Callable[..., Provider] = getattr(import_module(f"{__package__}.{module}"), class_name)
    unknown = [name for name in given if name not in signature(made).parameters]
    if unknown:
        raise UserError(f"{provider!r} takes no {', '.join(unknown)}: make a {class_name} of what it takes")
    return made(**given)
