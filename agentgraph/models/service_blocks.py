"""What a reply holds beside its parts: calls of tools that the service ran itself, their results, and the like.

We have no parts for these. They are kept as they came in the reply's `provider_details`, each with its place among the
parts, and put back there when the reply is sent to the same service again. They are never run by us.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import deepcopy

from pydantic_core import from_json

from agentgraph.exceptions import UnexpectedModelBehavior
from agentgraph.messages import (
    ModelResponse,
    ModelResponsePart,
    ModelResponseStreamEvent,
    ReplyBuilder,
    TextPart,
    ToolCallPart,
)

from .origin import made_by
from .wire import JSON, as_object

__all__ = ["BlockBuilder", "joined_input", "with_service_blocks"]

SERVICE_BLOCKS = "service_blocks"
"""The key of `provider_details`: a list of `{"after": N, "block": …}`."""


class BlockBuilder(ReplyBuilder):
    """Builds parts, and keeps the blocks that are none between them."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[JSON] = []
        self._apart = False

    @property
    def kept(self) -> JSON:
        """The blocks with their places, as `provider_details` hold them; empty if there are none."""
        return {SERVICE_BLOCKS: deepcopy(self._kept)} if self._kept else {}

    def text(self, delta: str) -> list[ModelResponseStreamEvent]:
        """Add text; what comes after a block that is no part is a part of its own."""
        if not (delta and self._apart):
            return super().text(delta)
        self._apart = False
        return self.part(object(), TextPart(delta))

    def place(self) -> int:
        """Where a block begins that is no part: after how many parts that are no calls, as those may be left out."""
        self._apart = True
        return sum(not isinstance(part, ToolCallPart) for part in self.parts)

    def keep(self, place: int, block: JSON) -> None:
        """Keep a block that has ended."""
        self._kept.append({"after": place, "block": block})


def joined_input(pieces: Sequence[str], model_name: str, body: str) -> object:
    """The arguments of a call that the service ran itself, from the pieces of their JSON.

    Raises:
        UnexpectedModelBehavior: they are no JSON.
    """
    with suppress(ValueError):
        return from_json("".join(pieces))
    raise UnexpectedModelBehavior(
        f"the reply of {model_name!r} calls a tool of its service with arguments that are no JSON", body
    )


def with_service_blocks(
    reply: ModelResponse, system: str, encode: Callable[[ModelResponsePart], list[JSON]]
) -> list[JSON]:
    """The blocks of a reply's parts, and where it came from this service, its service's own between them.

    An interrupted reply goes without: a call may have lost its result.
    """
    kept: list[JSON] = []
    if made_by(reply, system) and reply.state == "complete":
        kept = list((reply.provider_details or {}).get(SERVICE_BLOCKS, []))
    blocks: list[JSON] = []
    place = 0
    for part in reply.parts:
        while kept and kept[0]["after"] <= place:
            blocks.append(as_object(kept.pop(0)["block"]))
        blocks += encode(part)
        place += not isinstance(part, ToolCallPart)
    return blocks + [as_object(each["block"]) for each in kept]
