"""Which nodes of a run are ready: a pure function of what is pending.

A run's frontier holds one pending node for each of its open branches. Today every run has the root branch alone; a
node that opens further branches will add them here, and the scheduler will not change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .node import BaseNode, End
from .store import ROOT

__all__ = ["Frontier", "Pending", "ready"]

Outcome = BaseNode[Any, Any, Any] | End[Any]  # of any graph


@dataclass(frozen=True, slots=True)
class Pending:
    """What comes next on one branch."""

    seq: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Frontier:
    """The open branches of a run, by path."""

    branches: Mapping[str, Pending]

    @classmethod
    def at(cls, seq: int, outcome: Outcome) -> Frontier:
        """A run with the root branch alone."""
        return cls({ROOT: Pending(seq, outcome)})

    def after(self, branch: str, outcome: Outcome) -> Frontier:
        """The frontier when the pending step of `branch` has led to `outcome`."""
        return Frontier({**self.branches, branch: Pending(self.branches[branch].seq + 1, outcome)})


def ready(frontier: Frontier) -> list[str]:
    """The branches whose nodes can run now, in the order of their paths; none when the run has ended."""
    return [path for path, pending in frontier.branches.items() if not isinstance(pending.outcome, End)]
