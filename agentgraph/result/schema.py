"""How a result is asked for: as text, by a tool, by one tool for each member of a union, or as JSON in the text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, Literal, Required

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypeVar

from agentgraph.calling import SchemaError, call_json, describe, refusal, typed_dict
from agentgraph.exceptions import ModelRetry, UserError
from agentgraph.messages import ToolCallPart
from agentgraph.model import ResultFormat, ToolDefinition

from .json_text import WRAP_KEY, JsonForm, json_form
from .members import members, tool_names, type_name
from .modes import NativeResult, PromptedResult, ResultType
from .verdicts import Accepted, Rejected

if TYPE_CHECKING:
    from .partial import PartialReader, Source

__all__ = ["ResultSchema"]

T = TypeVar("T")
R = TypeVar("R")

NO_WORDS = "Gives the final result, which ends the conversation."


@dataclass(frozen=True)
class _Member:
    """One type that the result may have, with the tool that asks for it."""

    tool: ToolDefinition
    adapter: TypeAdapter[Any]  # Any: the member's type, or a TypedDict made at run time around it

    def read(self, call: ToolCallPart, *, partial: bool) -> Any:  # Any: a value of the member's type
        value = self._read(call_json(call), "trailing-strings" if partial else "off")
        key = self.tool.outer_typed_dict_key
        return value if key is None else value[key]

    @cached_property
    def source(self) -> Source:
        """How it is read while the arguments of a call come."""
        from .partial import Source
        from .partial_types import Plans

        key = self.tool.outer_typed_dict_key
        return Source(Plans(self.adapter.core_schema), self._read, _begun, () if key is None else (key,))

    def _read(
        self, text: str, partial: Literal["off", "trailing-strings"] = "trailing-strings"
    ) -> Any:  # Any: as above
        return self.adapter.validate_json(text or "{}", experimental_allow_partial=partial)


@dataclass(frozen=True)
class ResultSchema(Generic[T]):
    """What a model may answer as the result, and how its answer is read. Made once for a result type."""

    result_type: type[T]
    allow_text: bool
    """Whether text is a result."""
    tools: list[ToolDefinition]
    """The tools that take a result; none if only text does."""
    by_tool: Mapping[str, _Member]
    form: JsonForm[T] | None = None
    """How text that is JSON is read, if that is how the result is asked for; then text is no result, and no tool is."""

    @staticmethod
    def build(
        result_type: ResultType[R], name: str = "final_result", description: str | None = None
    ) -> ResultSchema[R]:
        """Find out how `result_type` is asked for.

        Args:
            result_type: any type that pydantic knows; a union is asked for by a tool a member, `str` by text. Or one
                that is marked to be asked for as JSON.
            name: the name of the result tool; members of a union have theirs appended.
            description: told to the model beside what the type's docstring says.

        Raises:
            UserError: a member has no JSON schema; all such members are listed. Or text is asked for as JSON.
        """
        if isinstance(result_type, NativeResult | PromptedResult):
            return ResultSchema(result_type.result_type, False, [], {}, json_form(result_type))
        found = members(result_type)
        kinds = [kind for kind in found if kind is not str]
        described, problems = list[_Member](), list[str]()
        for kind, tool_name in zip(kinds, tool_names(name, kinds), strict=True):
            words = _Words(tool_name, description, type_name(kind) if len(kinds) > 1 else None)
            try:
                described.append(_member(kind, words))
            except SchemaError as error:
                problems.append(f"{type_name(kind)}: {error.reason}")
        if problems:
            lines = "".join(f"\n  - {problem}" for problem in problems)
            msg = f"the result type {type_name(result_type)} cannot be described to a model:{lines}"
            raise UserError(msg)
        tools = [member.tool for member in described]
        by_tool = {member.tool.name: member for member in described}
        return ResultSchema(result_type, len(kinds) < len(found), tools, by_tool)

    @cached_property
    def tool_names(self) -> frozenset[str]:
        """The names of `tools`."""
        return frozenset(self.by_tool)

    @cached_property
    def takes_text(self) -> bool:
        """Whether text can end the run: as the result, or as the JSON that it is in."""
        return self.allow_text or self.form is not None

    @cached_property
    def format(self) -> ResultFormat | None:
        """The JSON that the text has to be."""
        return None if self.form is None else self.form.format

    @cached_property
    def adapter(self) -> TypeAdapter[T]:
        """Writes and reads values of the whole result type."""
        return TypeAdapter(self.result_type)

    def read_call(self, call: ToolCallPart, *, partial: bool = False) -> Accepted[T] | Rejected:
        """The result that a call of one of `tools` gives.

        Args:
            call: the call.
            partial: whether its arguments are still coming; what is there of them is read then, as far as it is valid.
        """
        try:
            return Accepted(self.validate_call(call, partial=partial))
        except (ValidationError, ModelRetry) as problem:
            return Rejected(refusal(problem, call))

    def validate_call(self, call: ToolCallPart, *, partial: bool = False) -> T:
        """As `read_call`, for those who want the error.

        Raises:
            ValidationError: the arguments do not fit (pydantic's).
            ModelRetry: a validator of the type refused them.
        """
        value: T = self.by_tool[call.tool_name].read(call, partial=partial)
        return value

    def call_reader(self, tool_name: str) -> PartialReader[T]:
        """Reads the result while the arguments of a call of this tool come, as text."""
        from .partial import PartialReader

        return PartialReader(self.by_tool[tool_name].source)

    def read_text(self, text: str) -> Accepted[T] | Rejected:
        """The result that a text gives: itself, where text is allowed, or the one that it holds as JSON."""
        if self.form is not None:
            try:
                return Accepted(self.validate_text(text))
            except (ValidationError, ModelRetry) as problem:
                return Rejected(refusal(problem, None))
        if self.allow_text:
            result: Any = text  # Any: allow_text means that T includes str
            return Accepted(result)
        names = ", ".join(self.by_tool)
        return Rejected(refusal(ModelRetry(f"Text is not accepted as the result. Give it by calling: {names}."), None))

    def validate_text(self, text: str, *, partial: bool = False) -> T:
        """The result in a text that can end the run, for those who want the error.

        Raises:
            ValidationError: it is no JSON, or JSON that does not fit (pydantic's).
            ModelRetry: a validator of the type refused it.
        """
        if self.form is not None:
            return self.form.read(text, partial=partial)
        result: Any = text  # Any: `allow_text` means that T includes str
        return result  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class _Words:
    """What the tool of a member is called and said to do."""

    tool_name: str
    given: str | None
    member: str | None

    def description(self, doc: str | None) -> str:
        said = "\n\n".join(text for text in (self.given, doc) if text) or NO_WORDS
        return said if self.member is None else f"{self.member}: {said}"


def _begun(text: str) -> str:
    return text.lstrip(" \t\r\n")


def _member(kind: object, words: _Words) -> _Member:
    adapter, schema = describe(kind)
    key = None
    if schema.get("type") != "object":
        adapter, schema = describe(typed_dict("result", {WRAP_KEY: Required[_any(kind)]}))
        del schema["title"]
        key = WRAP_KEY
    doc = schema.pop("description", None)
    return _Member(ToolDefinition(words.tool_name, words.description(doc), schema, key), adapter)


def _any(kind: object) -> Any:  # Any: checkers know no type for types that are made at run time
    return kind
