"""Markers that say how a result is asked for where it is not by a tool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeAlias

from typing_extensions import TypeVar

__all__ = ["NativeResult", "PromptedResult", "ResultType", "data_type"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class NativeResult(Generic[T]):
    """A result that the model's service holds the reply to: by its own mode for JSON that follows a schema.

    The reply's text is the result as JSON. Services without such a mode refuse the request with `UserError`.
    """

    result_type: type[T]
    """The type of the result; a union becomes an object that says which member it holds."""
    name: str | None = None
    """What the service is told that the JSON is called; None: the name of the type."""
    description: str | None = None
    """Told beside it; None: what the type's docstring says."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.result_type!r})"


@dataclass(frozen=True, slots=True)
class PromptedResult(Generic[T]):
    """A result that the model is only told to give: the schema is in the instructions, the reply's text is the JSON.

    It works with any model, and no service checks it: what does not fit goes back to the model.
    """

    result_type: type[T]
    """The type of the result; a union becomes an object that says which member it holds."""
    template: str | None = None
    """The instructions, with `{schema}` where the schema belongs; None: our own."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.result_type!r})"


ResultType: TypeAlias = type[T] | NativeResult[T] | PromptedResult[T]
"""What says how a run ends: the type of its result, or that type with how it is asked for."""


def data_type(result_type: ResultType[T]) -> type[T]:
    """The type of the result itself."""
    return result_type.result_type if isinstance(result_type, NativeResult | PromptedResult) else result_type
