"""What a reply holds beside its parts: calls of tools that the service ran itself, their results, and the like.

We have no parts for these. They are kept as they came in the reply's `provider_details`, each with its place among the
parts, and put back there when the reply is sent to the same service again. They are never run by us.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agentgraph.messages import ModelResponse, ModelResponsePart, ToolCallPart

from .origin import made_by
from .wire import JSON, as_object

__all__ = ["SERVICE_BLOCKS", "place_in", "placed", "with_service_blocks"]

SERVICE_BLOCKS = "service_blocks"
"""The key of `provider_details`: a list of `{"after": N, "block": …}`."""


def place_in(parts: Sequence[ModelResponsePart]) -> int:
    """The place after these parts: how many of them are no calls, since calls may be left out later."""
    return sum(not isinstance(part, ToolCallPart) for part in parts)


def placed(place: int, block: JSON) -> JSON:
    """A block with its place."""
    return {"after": place, "block": block}


def with_service_blocks(
    reply: ModelResponse, system: str, encode: Callable[[ModelResponsePart], list[JSON]]
) -> list[JSON]:
    """The blocks of a reply's parts, and where it came from this service, its service's own between them.

    An interrupted reply goes without: a call may have lost its result.
    """
    details: list[JSON] = []
    if made_by(reply, system) and reply.state == "complete":
        details = list((reply.provider_details or {}).get(SERVICE_BLOCKS, []))
    blocks: list[JSON] = []
    place = 0
    for part in reply.parts:
        while details and details[0]["after"] <= place:
            blocks.append(as_object(details.pop(0)["block"]))
        blocks += encode(part)
        place += not isinstance(part, ToolCallPart)
    return blocks + [as_object(detail["block"]) for detail in details]
