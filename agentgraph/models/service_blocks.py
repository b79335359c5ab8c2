"""What a reply holds beside what the model says and asks for: tools that the service ran itself, and the like.

Calls of such tools and what they gave are parts, which hold what they leave out of the service's own block of them, so
that the block can be put together again. What is neither is kept as it came in the reply's `provider_details`, each
block with its place among the parts. All of it goes back to the same service, and only there. It is never run by us.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from typing import Any, TypeAlias

from pydantic_core import from_json

from agentgraph.exceptions import UnexpectedModelBehavior
from agentgraph.messages import (
    ModelResponse,
    ModelResponsePart,
    ModelResponseStreamEvent,
    NativeToolCallPart,
    NativeToolReturnPart,
    ReplyBuilder,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)

from .origin import made_by
from .wire import JSON, as_object

__all__ = [
    "BlockBuilder",
    "NativePart",
    "SaidPart",
    "is_native",
    "joined_input",
    "native_call",
    "native_return",
    "with_service_blocks",
]

NativePart: TypeAlias = NativeToolCallPart | NativeToolReturnPart
SaidPart: TypeAlias = TextPart | ThinkingPart | ToolCallPart
"""What every service has a form for."""
Path: TypeAlias = Sequence[str | int]

SERVICE_BLOCKS = "service_blocks"
"""The key of `provider_details`: a list of `{"after": N, "block": …}`."""
BLOCK, HOLDS = "block", "holds"
"""The keys of a part's `provider_details`: the block without what the part itself holds, and where that was."""
NAMES: Mapping[str, str] = {
    "bash_code_execution": "code_execution",
    "text_editor_code_execution": "code_execution",
    "code_interpreter": "code_execution",
    "nova_code_interpreter": "code_execution",
    "python": "code_execution",
    "nova_grounding": "web_search",
    "search": "web_search",
    "visit": "web_fetch",
    "tool_search_tool_bm25": "tool_search",
    "tool_search_tool_regex": "tool_search",
}
"""One word for what services call differently."""


def native_call(
    name: str, call_id: object, args: object, block: JSON | None = None, path: Path | None = None
) -> NativePart:
    """The call of a tool of the service.

    Args:
        name: the service's name for the tool.
        call_id: what its return is told by; what is no text counts as none.
        args: the arguments; what is no object counts as none.
        block: what the service wants back; None: nothing.
        path: where the arguments are in the block, empty if they are fields of it; None: not there, or not as here.
    """
    return NativeToolCallPart(NAMES.get(name, name), as_object(args), _id(call_id), _details(block, path))


def native_return(
    name: str, call_id: object, content: object, block: JSON | None = None, path: Path | None = None
) -> NativePart:
    """What a tool of the service gave back. Arguments: as those of `native_call`."""
    return NativeToolReturnPart(NAMES.get(name, name), content, _id(call_id), _details(block, path))


def is_native(part: ModelResponsePart) -> bool:
    """Whether the part tells of a tool of the service."""
    return isinstance(part, NativeToolCallPart | NativeToolReturnPart)


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


def with_service_blocks(reply: ModelResponse, system: str, encode: Callable[[SaidPart], list[JSON]]) -> list[JSON]:
    """The blocks of a reply's parts, and where it came from this service, its service's own among them.

    An interrupted reply goes without: a call may have lost its result.
    """
    own = made_by(reply, system) and reply.state == "complete"
    kept: list[JSON] = list((reply.provider_details or {}).get(SERVICE_BLOCKS, [])) if own else []
    blocks: list[JSON] = []
    place = 0
    for part in reply.parts:
        while kept and kept[0]["after"] <= place:
            blocks.append(as_object(kept.pop(0)["block"]))
        if isinstance(part, NativeToolCallPart | NativeToolReturnPart):
            blocks += _block(part) if own else []
        else:
            blocks += encode(part)
        place += not isinstance(part, ToolCallPart)
    return blocks + [as_object(each["block"]) for each in kept]


def _block(part: NativePart) -> list[JSON]:
    details = part.provider_details or {}
    if BLOCK not in details:
        return []
    block = as_object(deepcopy(details[BLOCK]))
    if HOLDS not in details:
        return [block]
    value = part.args if isinstance(part, NativeToolCallPart) else part.content
    path: Path = details[HOLDS]
    return [as_object(_put(block, path, value))] if path else [{**block, **as_object(value)}]


def _id(call_id: object) -> str | None:
    return call_id if isinstance(call_id, str) else None


def _details(block: JSON | None, path: Path | None) -> JSON | None:
    if block is None:
        return None
    if path is None:
        return {BLOCK: block}
    return {BLOCK: _put(block, path, None) if path else block, HOLDS: [*path]}


def _put(container: Any, path: Path, value: object) -> Any:  # Any: JSON
    """The container with another value at the end of the path; the one given is not changed."""
    if not path:
        return value
    changed = container.copy()
    changed[path[0]] = _put(container[path[0]], path[1:], value)
    return changed
