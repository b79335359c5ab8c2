"""What becomes of something that might be the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic

from typing_extensions import TypeVar

from agentgraph.messages import RetryPromptPart

__all__ = ["Accepted", "Rejected"]

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Accepted(Generic[T_co]):
    """It is a result."""

    value: T_co


@dataclass(frozen=True, slots=True)
class Rejected:
    """It is none; the prompt tells the model why."""

    prompt: RetryPromptPart
