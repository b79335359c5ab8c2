"""Results: how a type is asked for, how a reply becomes it, and who may object."""

from __future__ import annotations

from agentgraph.calling import ResultValidatorFunc

from .schema import ResultSchema
from .validators import ResultValidator, validate
from .verdicts import Accepted, Rejected

__all__ = [
    "Accepted",
    "Rejected",
    "ResultSchema",
    "ResultValidator",
    "ResultValidatorFunc",
    "validate",
]
