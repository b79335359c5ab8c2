"""Who executes runs: this process, told apart from every other one, and whether another one on this host has died.

A process id means something only on one boot of one machine and in one pid namespace, so both name the host; the
start time tells a process from a later one that was given the same id. All of it comes from `/proc`. Where that is
missing the host stays empty, and a store relies on the lease alone.
"""

from __future__ import annotations

import os
import socket
from functools import lru_cache
from pathlib import Path

from agentgraph.graph.store import Owner

__all__ = ["PROC", "is_dead", "this_process"]

PROC = Path("/proc")

_ENDED = frozenset("ZX")
"""States of a process that will never run again: a zombie, and one being removed."""


def this_process(proc: Path = PROC) -> Owner:
    """The process that calls, right after a fork too."""
    return _describe(os.getpid(), proc)


def is_dead(owner: Owner, proc: Path = PROC) -> bool:
    """Whether it is certain that `owner` has died: it lived on this very host and is gone."""
    if not owner.host or owner.host != this_process(proc).host:
        return False
    found = _look_up(owner.pid, proc)
    if found is None:
        return _is_gone(owner.pid)
    state, started = found
    return state in _ENDED or started != owner.started


@lru_cache(maxsize=8)
def _describe(pid: int, proc: Path) -> Owner:
    host, found = _host(proc), _look_up(pid, proc)
    if not host or found is None:
        return Owner("", pid, 0, socket.gethostname())
    return Owner(host, pid, found[1], socket.gethostname())


def _host(proc: Path) -> str:
    try:
        boot = (proc / "sys/kernel/random/boot_id").read_text().strip()
        # The link reads pid:[4026531836]; "self" would be cached across a fork, and a fork keeps the namespace.
        return f"{boot}/{(proc / 'self/ns/pid').readlink()}"
    except OSError:
        return ""


def _look_up(pid: int, proc: Path) -> tuple[str, int] | None:
    """State and start time of a process, None if /proc does not show it."""
    try:
        stat = (proc / str(pid) / "stat").read_text()
    except OSError:
        return None
    # The second field is the program's name in parentheses and may hold anything, parentheses and spaces included.
    fields = stat.rpartition(")")[2].split()
    return fields[0], int(fields[19])


def _is_gone(pid: int) -> bool:
    # /proc can hide the processes of other users (hidepid); a signal that is never sent cannot be fooled.
    try:
        os.kill(pid, 0)
    except OSError as error:
        return isinstance(error, ProcessLookupError)
    return False
