"""Which service made a reply.

What a service seals, such as the signature of a thought, is worth something to that service alone; others refuse it. A
message has no field for its maker, so clients that need to know later write it into `provider_details`.
"""

from __future__ import annotations

from typing import Any

from agentgraph.messages import ModelResponse

__all__ = ["made_by", "marked"]

ORIGIN = "origin"


def marked(system: str, details: dict[str, Any]) -> dict[str, Any]:  # Any: JSON
    """The details of a reply with the name of its service."""
    return {ORIGIN: system, **details}


def made_by(reply: ModelResponse, system: str) -> bool:
    """Whether the service of this name made the reply; one that does not tell was made by another."""
    return (reply.provider_details or {}).get(ORIGIN) == system
