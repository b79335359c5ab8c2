"""Fields that a caller adds to a request of any protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from agentgraph.exceptions import UserError
from agentgraph.settings import ModelSettings

from .wire import JSON

__all__ = ["with_extra_body"]


def with_extra_body(body: JSON, settings: ModelSettings) -> JSON:
    """The body with the fields of `extra_body`, which win.

    Raises:
        UserError: `extra_body` is no mapping.
    """
    extra = settings.get("extra_body")
    if extra is None:
        return body
    if not isinstance(extra, Mapping):
        raise UserError(f"extra_body has to be a mapping, not {type(extra).__name__}")
    return {**body, **cast("JSON", extra)}  # cast: what is no JSON is refused when it is written
