"""What a node class says about how its turns are taken."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .faults import Fault
from .node import BaseNode
from .rates import RateLimit
from .retrying import RetryPolicy

__all__ = ["Policy", "policies_of", "policy_problems"]

_NAMES = ("retry", "timeout", "rate")


@dataclass(frozen=True, slots=True)
class Policy:
    """Of the nodes of one class."""

    retry: RetryPolicy | None
    timeout: float | None
    """Seconds that an attempt may take."""
    rate: RateLimit | None
    """How often an attempt may begin."""


def policies_of(nodes: Iterable[type[BaseNode[Any, Any, Any]]]) -> Mapping[str, Policy]:
    """The policies of those classes that have one, by node id."""
    found = {node.get_node_id(): Policy(node.retry, node.timeout, node.rate) for node in nodes}
    return {node_id: policy for node_id, policy in found.items() if policy != Policy(None, None, None)}


def policy_problems(nodes: Iterable[type[BaseNode[Any, Any, Any]]]) -> list[Fault]:
    """What is wrong with what the classes say."""
    return [Fault(f"{node.get_node_id()}.{problem}", node) for node in nodes for problem in _problems(node)]


def _problems(node: type[BaseNode[Any, Any, Any]]) -> list[str]:
    cls: type[Any] = node  # a dataclass, perhaps
    fields = {each.name for each in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else set[str]()
    said: Mapping[str, object] = {name: getattr(node, name) for name in _NAMES}
    problems = [
        f"{name} is a field, and the engine knows the name: call the field otherwise, or annotate it ClassVar"
        for name in _NAMES
        if name in fields
    ]
    if problems:
        return problems
    if not isinstance(said["retry"], RetryPolicy | None):
        problems.append("retry is no RetryPolicy")
    if not _is_time(said["timeout"]):
        problems.append(f"timeout is {said['timeout']!r}: give a number of seconds above 0")
    if not isinstance(said["rate"], RateLimit | None):
        problems.append("rate is no RateLimit")
    return problems


def _is_time(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and 0 < value < math.inf)
