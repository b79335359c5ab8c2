"""A reply that comes piece by piece: the pieces, the events that tell of them, and the builder of the whole.

A streaming client feeds what it reads to a `ReplyBuilder`, which keeps the parts of one reply and says by events what
changed. Three rules:

- A part gets its index when it starts, and its `PartStartEvent` comes before any of its `PartDeltaEvent`s. Who applies
  the events one by one has the same parts as the builder.
- A tool call starts when its name is known; what came before is in the part of its start event. A call whose name
  never comes is no part.
- Empty pieces change nothing and make no event.

The builder appends pieces to lists and joins them when the parts are read, so the cost of a reply is linear in its
length. To copy a part at every delta, as `apply` does, is quadratic and is left to those who need it.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, TypeAlias, assert_never

from pydantic import Field

from agentgraph.exceptions import UnexpectedModelBehavior

from .parts import (
    ModelResponsePart,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)

__all__ = [
    "ModelResponsePartDelta",
    "ModelResponseStreamEvent",
    "PartDeltaEvent",
    "PartStartEvent",
    "ReplyBuilder",
    "TextPartDelta",
    "ThinkingPartDelta",
    "ToolCallPartDelta",
]

Args: TypeAlias = str | dict[str, Any]  # Any: JSON


@dataclass(slots=True)
class TextPartDelta:
    """More text."""

    content_delta: str
    part_delta_kind: Literal["text"] = "text"

    def apply(self, part: ModelResponsePart) -> TextPart:
        """A new part with the text added; `ValueError` if `part` is no text."""
        if not isinstance(part, TextPart):
            raise _misfit(self, part)
        return replace(part, content=part.content + self.content_delta)


@dataclass(slots=True)
class ThinkingPartDelta:
    """More of a thought, or what the service says about it."""

    content_delta: str = ""
    signature_delta: str | None = None
    """The signature; it replaces an earlier one."""
    id: str | None = None
    part_delta_kind: Literal["thinking"] = "thinking"

    def apply(self, part: ModelResponsePart) -> ThinkingPart:
        """A new part with the piece added; `ValueError` if `part` is no thought."""
        if not isinstance(part, ThinkingPart):
            raise _misfit(self, part)
        return replace(
            part,
            content=part.content + self.content_delta,
            signature=part.signature if self.signature_delta is None else self.signature_delta,
            id=part.id if self.id is None else self.id,
        )


@dataclass(slots=True)
class ToolCallPartDelta:
    """More of a tool call."""

    tool_name_delta: str | None = None
    args_delta: str | dict[str, Any] | None = None  # Any: JSON
    """Text is added to text, the keys of an object to an object."""
    tool_call_id: str | None = None
    """The call's id; it replaces an earlier one."""
    part_delta_kind: Literal["tool_call"] = "tool_call"

    def as_part(self) -> ToolCallPart | None:
        """The call that these pieces make; None as long as name or arguments are missing."""
        if self.tool_name_delta is None or self.args_delta is None:
            return None
        return ToolCallPart(self.tool_name_delta, self.args_delta, self.tool_call_id)

    def apply(self, part: ModelResponsePart | ToolCallPartDelta) -> ToolCallPart | ToolCallPartDelta:
        """A new part, or a new delta, with the piece added; a delta that becomes whole is a part.

        Raises:
            ValueError: `part` is no tool call.
            UnexpectedModelBehavior: text arguments were to be added to an object, or an object to text.
        """
        if isinstance(part, ToolCallPart):
            name = part.tool_name + (self.tool_name_delta or "")
            args = _more_args(part.args, self.args_delta, part.tool_name)
            return ToolCallPart(name, args, self.tool_call_id or part.tool_call_id)
        if not isinstance(part, ToolCallPartDelta):
            raise _misfit(self, part)
        whole = ToolCallPartDelta(
            _more_name(part.tool_name_delta, self.tool_name_delta),
            self.args_delta if part.args_delta is None else _more_args(part.args_delta, self.args_delta, None),
            self.tool_call_id or part.tool_call_id,
        )
        return whole.as_part() or whole


ModelResponsePartDelta: TypeAlias = Annotated[
    TextPartDelta | ToolCallPartDelta | ThinkingPartDelta, Field(discriminator="part_delta_kind")
]
"""A piece of a part."""


@dataclass(slots=True)
class PartStartEvent:
    """A part begins, with what there is of it; an index that was there before is replaced."""

    index: int
    part: ModelResponsePart
    event_kind: Literal["part_start"] = "part_start"


@dataclass(slots=True)
class PartDeltaEvent:
    """The part at this index goes on."""

    index: int
    delta: ModelResponsePartDelta
    event_kind: Literal["part_delta"] = "part_delta"


ModelResponseStreamEvent: TypeAlias = Annotated[PartStartEvent | PartDeltaEvent, Field(discriminator="event_kind")]
"""What a streamed reply consists of."""


@dataclass(slots=True, eq=False)
class _Text:
    index: int
    pieces: list[str]

    def part(self) -> TextPart:
        return TextPart(_joined(self.pieces))


@dataclass(slots=True, eq=False)
class _Thought:
    index: int
    pieces: list[str]
    id: str | None
    signature: str | None

    def part(self) -> ThinkingPart:
        return ThinkingPart(_joined(self.pieces), self.id, self.signature)

    def takes(self, delta: str, part_id: str | None) -> bool:
        """Whether a piece goes on with this thought: a signature closes it for text, another id for everything."""
        same = part_id is None or self.id is None or part_id == self.id
        return same and not (delta and self.signature is not None)


@dataclass(slots=True, eq=False)
class _Call:
    index: int | None = None
    """None as long as the name is not known."""
    name: str = ""
    pieces: list[str] = field(default_factory=list[str])
    fields: dict[str, Any] | None = None  # Any: JSON
    """The arguments where they come as objects; then there are no `pieces`."""
    id: str | None = None

    def part(self) -> ToolCallPart:
        args = _joined(self.pieces) if self.fields is None else dict(self.fields)
        return ToolCallPart(self.name, args, self.id)

    def add_args(self, args: Args) -> None:
        if isinstance(args, str):
            if args and self.fields:
                raise _mixed(self.name)
            if args:
                self.fields = None
                self.pieces.append(args)
        elif args and self.pieces:
            raise _mixed(self.name)
        elif args or (self.index is None and not self.pieces):  # an empty object says what kind will come, once
            self.fields = {**(self.fields or {}), **args}


@dataclass(slots=True, eq=False)
class _Whole:
    index: int
    whole: NativeToolCallPart | NativeToolReturnPart

    def part(self) -> NativeToolCallPart | NativeToolReturnPart:
        return self.whole


_Draft: TypeAlias = _Text | _Thought | _Call | _Whole


class ReplyBuilder:
    """Builds the parts of one reply, in the order in which they start. Each method returns the events of its change."""

    def __init__(self) -> None:
        self._drafts: list[_Draft] = []
        self._calls: dict[Hashable, _Call] = {}
        self._keyed: dict[Hashable, int] = {}

    def text(self, delta: str) -> list[ModelResponseStreamEvent]:
        """Add text to the newest part if it is text, else start a text part."""
        if not delta:
            return []
        newest = self._drafts[-1] if self._drafts else None
        if isinstance(newest, _Text):
            newest.pieces.append(delta)
            return [PartDeltaEvent(newest.index, TextPartDelta(delta))]
        self._drafts.append(_Text(len(self._drafts), [delta]))
        return [PartStartEvent(len(self._drafts) - 1, TextPart(delta))]

    def thinking(
        self,
        delta: str = "",
        *,
        signature: str | None = None,
        id: str | None = None,
    ) -> list[ModelResponseStreamEvent]:
        """Add to the newest part if it is the same thought, else start one.

        Text after a signature, and another `id`, begin another thought.
        """
        if not delta and signature is None and id is None:
            return []
        newest = self._drafts[-1] if self._drafts else None
        if not isinstance(newest, _Thought) or not newest.takes(delta, id):
            draft = _Thought(len(self._drafts), [delta], id, signature)
            self._drafts.append(draft)
            return [PartStartEvent(draft.index, draft.part())]
        if not delta and signature in {None, newest.signature} and id in {None, newest.id}:
            return []
        newest.pieces.append(delta)
        newest.id = newest.id if id is None else id
        newest.signature = newest.signature if signature is None else signature
        return [PartDeltaEvent(newest.index, ThinkingPartDelta(delta, signature, id))]

    def tool_call(
        self,
        key: Hashable,
        *,
        name: str | None = None,
        args: str | dict[str, Any] | None = None,  # Any: JSON
        call_id: str | None = None,
    ) -> list[ModelResponseStreamEvent]:
        """Add to the call that the protocol tells apart by `key`, or start it.

        A name that is repeated as a whole, as some services do in every piece, is not added again.

        Raises:
            UnexpectedModelBehavior: the arguments come partly as text, partly as objects.
        """
        call = self._calls.get(key)
        if call is None:
            call = self._calls[key] = _Call()
        name = None if name == call.name else name or None
        call_id = None if call_id == call.id else call_id or None
        if args is not None:
            call.add_args(args)
        call.name += name or ""
        call.id = call_id or call.id
        if call.index is not None:
            if name is None and call_id is None and not args:
                return []
            return [PartDeltaEvent(call.index, ToolCallPartDelta(name, args or None, call_id))]
        return self._start(key, call) if call.name else []

    def part(self, key: Hashable, part: ModelResponsePart) -> list[ModelResponseStreamEvent]:
        """Add a whole part; the same `key` again replaces it. `tool_call` with this key goes on with a call."""
        index = self._keyed.get(key, len(self._drafts))
        draft = _draft(index, part)
        if index == len(self._drafts):
            self._drafts.append(draft)
        else:
            self._drafts[index] = draft
        self._keyed[key] = index
        if isinstance(draft, _Call):
            self._calls[key] = draft
        return [PartStartEvent(index, part)]

    @property
    def parts(self) -> list[ModelResponsePart]:
        """The parts so far: a snapshot, made anew at each reading."""
        return [draft.part() for draft in self._drafts]

    def text_so_far(self) -> str:
        """The text parts that are not empty, joined by a blank line."""
        texts = [_joined(draft.pieces) for draft in self._drafts if isinstance(draft, _Text)]
        return "\n\n".join(text for text in texts if text)

    def _start(self, key: Hashable, call: _Call) -> list[ModelResponseStreamEvent]:
        call.index = self._keyed[key] = len(self._drafts)
        self._drafts.append(call)
        return [PartStartEvent(call.index, call.part())]


def _draft(index: int, part: ModelResponsePart) -> _Draft:
    match part:
        case TextPart():
            return _Text(index, [part.content])
        case ThinkingPart():
            return _Thought(index, [part.content], part.id, part.signature)
        case ToolCallPart():
            call = _Call(name=part.tool_name, id=part.tool_call_id)
            call.add_args(part.args)
            call.index = index
            return call
        case NativeToolCallPart() | NativeToolReturnPart():
            return _Whole(index, part)
        case _:
            assert_never(part)


def _joined(pieces: list[str]) -> str:
    if len(pieces) > 1:
        # What was joined once is not joined again, however often the parts are read.
        pieces[:] = ["".join(pieces)]
    return pieces[0] if pieces else ""


def _more_name(name: str | None, delta: str | None) -> str | None:
    return name if delta is None else (name or "") + delta


def _more_args(args: Args, delta: Args | None, tool_name: str | None) -> Args:
    # Nothing is neither text nor an object: services begin with an empty one and go on with the other.
    if not delta:
        return args
    if not args:
        return delta
    if isinstance(args, str):
        if isinstance(delta, str):
            return args + delta
    elif not isinstance(delta, str):
        return {**args, **delta}
    raise _mixed(tool_name)


def _mixed(tool_name: str | None) -> UnexpectedModelBehavior:
    whose = f"the call of {tool_name!r}" if tool_name else "a tool call"
    return UnexpectedModelBehavior(f"the arguments of {whose} came partly as text, partly as an object")


def _misfit(delta: ModelResponsePartDelta, part: object) -> ValueError:
    return ValueError(f"a {type(delta).__name__} cannot be applied to a {type(part).__name__}")
