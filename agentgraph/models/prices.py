"""What replies cost, by the price list of genai-prices (extra `prices`), which is part of that library: no network.

These are list prices: what a contract, a batch or a service tier takes off is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from itertools import product
from typing import TypeAlias

from agentgraph.messages import ModelResponse
from agentgraph.providers import Provider
from agentgraph.usage import Usage

__all__ = ["cost_of", "price_list", "price_problem"]

IDS: Mapping[str, str] = {
    "bedrock": "aws",
    "google-gla": "google",
    "google-vertex": "google",
    "moonshot": "moonshotai",
    "xai": "x-ai",
}
"""The list's name of a provider, where it is not ours."""
PARTS = (
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
)
"""Tokens that have a price of their own; by these names they are in `Usage.details`, and in the list."""


Price: TypeAlias = Callable[[Mapping[str, int | None], str, datetime, "Place"], Decimal]
"""The price of so many tokens of a model at a time and a place."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the list is to look for a model: at an address, or under a provider's name."""

    url: str | None = None
    provider: str | None = None


@cache
def price_list() -> Price | None:
    """Asks the list; None if it is not installed. Found out once: Python looks for a missing module anew each time."""
    try:
        from genai_prices import Usage as Tokens, calc_price
    except ImportError:
        return None

    def price(tokens: Mapping[str, int | None], name: str, when: datetime, place: Place) -> Decimal:
        used = Tokens(**tokens)
        if place.url is None:
            found = calc_price(used, name, provider_id=place.provider, genai_request_timestamp=when)
        else:
            found = calc_price(used, name, provider_api_url=place.url, genai_request_timestamp=when)
        return found.total_price

    return price


def price_problem(provider: Provider, model_name: str) -> str | None:
    """Why there is no price for the replies of a model; None if there is one."""
    if price_list() is None:
        return "prices are known with the extra `prices` alone: pip install 'agentgraph[prices]'"
    nothing = Usage(request_tokens=0, response_tokens=0)
    if cost_of(ModelResponse([], model_name), nothing, provider, model_name) is None:
        return f"no price is known for {model_name!r} of {provider.name!r} at {provider.base_url}"
    return None


def cost_of(reply: ModelResponse, usage: Usage, provider: Provider, asked: str) -> Decimal | None:
    """The price of a reply in US dollars; None if it is not known.

    Args:
        reply: its model, by the name that the service gave, and its time say which price holds.
        usage: the tokens that the service counted.
        provider: looked for by its address, then by its name: behind a gateway, prices are those of the service.
        asked: the model's name as it was asked for, should the list not have the service's own.
    """
    price = price_list()
    if price is None or (usage.request_tokens is None and usage.response_tokens is None):
        return None
    parts = {name: count for name, count in (usage.details or {}).items() if name in PARTS}
    tokens = {"input_tokens": usage.request_tokens, "output_tokens": usage.response_tokens, **parts}
    places = Place(url=provider.base_url), Place(provider=IDS.get(provider.name, provider.name))
    for name, place in product(dict.fromkeys((reply.model_name or asked, asked)), places):
        with suppress(LookupError, ValueError):  # it is not in the list; or the service's counts contradict each other
            return price(tokens, name, reply.timestamp, place)
    return None
