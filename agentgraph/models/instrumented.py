"""`InstrumentedModel`, where programs look for it; it lives in `agentgraph.observe`, above, and loads from there."""

from __future__ import annotations

from importlib import import_module

__all__ = ["InstrumentationSettings", "InstrumentedModel"]  # noqa: F822  # pyright: ignore[reportUnsupportedDunderAll] - below, by name


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("agentgraph.observe"), name)
