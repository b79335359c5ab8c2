"""Results: how a type is asked for, how a reply becomes it, and who may object."""

from __future__ import annotations

from agentgraph.calling import ResultValidatorFunc

from .modes import NativeResult, PromptedResult, ResultType, data_type
from .schema import ResultSchema
from .validators import ResultValidator, validate
from .verdicts import Accepted, Rejected

__all__ = [
    "Accepted",
    "NativeResult",
    "PromptedResult",
    "Rejected",
    "ResultSchema",
    "ResultType",
    "ResultValidator",
    "ResultValidatorFunc",
    "data_type",
    "validate",
]
