"""Runs of agents that a tool starts: they belong to the run that makes the call, and go on with it.

A child's id is made of its parent's id and step, the call's position and the count of children that the call has
started, so a call that is made again after a crash finds the children it had. `key=` takes the place of the count
where several are started at the same time, in no certain order.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from pydantic_core import to_json

from agentgraph.context import CallScope
from agentgraph.exceptions import UserError
from agentgraph.graph import Place, RunRecord, Store, check_asked, find_child
from agentgraph.messages import UserContent

from .options import RunOptions
from .stored import StoredOptions

__all__ = ["as_child", "as_step", "asked", "earlier_child"]

_OWN = ("run_id", "resume", "conversation", "store", "scheduler", "answers")


def as_child(options: RunOptions[Any], given: RunOptions[Any]) -> tuple[CallScope, str, RunOptions[Any]]:
    """Where a child belongs, its id, and its options: usage and limits are those of its parent unless `given`.

    Raises:
        UserError: the context is none of a call, or the options contradict it.
    """
    parent = options.get("parent")
    assert parent is not None
    spare = [name for name in _OWN if given.get(name)]
    if spare:
        raise UserError(f"a run with `parent=` takes {' and '.join(spare)} from its parent: leave it out")
    if parent.scope is None:
        raise UserError("`parent=` takes the context that a tool was called with, and this is another one")
    shared = options.copy()
    shared["usage"] = options.get("usage") or parent.usage
    shared["usage_limits"] = options.get("usage_limits") or parent.scope.limits
    return parent.scope, parent.scope.start(options.get("key")), shared


def asked(prompt: str | Sequence[UserContent] | None) -> str:
    """The digest of a child's prompt."""
    return sha256(to_json(prompt, bytes_mode="base64")).hexdigest()[:32]


def as_step(place: Place, options: RunOptions[Any], given: RunOptions[Any]) -> RunOptions[Any]:
    """The options of a child of a graph's run.

    Raises:
        UserError: they contradict that it is one.
    """
    spare = [name for name in (*_OWN, "parent", "key", "break_before") if given.get(name)]
    if spare:
        raise UserError(f"a run that a node starts takes {' and '.join(spare)} from the node's run: leave it out")
    return {**options, "run_id": place.run_id}


async def earlier_child(store: Store, run_id: str, prompt: str | Sequence[UserContent] | None) -> RunRecord | None:
    """The child that an earlier attempt of the call or step started under this id, if it did.

    Raises:
        RunNotResumable: it was asked something else.
    """
    record = await find_child(store, run_id)
    if record is not None:
        check_asked(run_id, StoredOptions.load(record).asked, asked(prompt))
    return record
