"""Providers by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from agentgraph.exceptions import UserError

from .port import Provider
from .services import SERVICES

__all__ = ["infer_provider"]

PROVIDERS: Mapping[str, str] = {"deepseek": "deepseek:DeepSeekProvider"}
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
