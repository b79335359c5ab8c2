"""Services that run models: where they are, what lets us in, and the HTTP client to reach them with."""

from __future__ import annotations

from .port import Provider, RetrySettings
from .registry import infer_provider, settle_provider

__all__ = ["Provider", "RetrySettings", "infer_provider", "settle_provider"]
