"""Telling one process from another, on a made-up /proc and on this machine."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from agentgraph.graph.store import Owner
from agentgraph.stores.owner import PROC, is_dead, this_process
from tests.stores.processes import Worker

GONE = 2**22 + 1
"""A process id above what Linux hands out."""


def enter(proc: Path, pid: int, *, started: int = 500, state: str = "S") -> None:
    fields = [state, *["0"] * 18, str(started), "0"]
    (proc / str(pid)).mkdir()
    (proc / str(pid) / "stat").write_text(f"{pid} (a (strange) name) {' '.join(fields)}\n")


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """The parts of /proc that matter, with this process in it."""
    boot = tmp_path / "sys/kernel/random/boot_id"
    boot.parent.mkdir(parents=True)
    boot.write_text("boot-1\n")
    namespaces = tmp_path / "self/ns"
    namespaces.mkdir(parents=True)
    (namespaces / "pid").symlink_to("pid:[42]")
    enter(tmp_path, os.getpid())
    return tmp_path


def test_a_process_is_described_by_what_is_unique(proc: Path) -> None:
    owner = this_process(proc)
    assert (owner.host, owner.pid, owner.started) == ("boot-1/pid:[42]", os.getpid(), 500)
    assert owner.name


def test_without_proc_there_is_no_host_and_nobody_is_dead(tmp_path: Path) -> None:
    owner = this_process(tmp_path)
    assert (owner.host, owner.pid) == ("", os.getpid())
    assert not is_dead(owner, tmp_path)
    assert not is_dead(replace(owner, pid=GONE), tmp_path)


def test_a_host_that_hides_this_process_is_no_host(proc: Path) -> None:
    (proc / str(os.getpid()) / "stat").unlink()
    assert this_process(proc).host == ""


def test_this_process_lives(proc: Path) -> None:
    assert not is_dead(this_process(proc), proc)


def test_a_process_that_is_gone_is_dead(proc: Path) -> None:
    assert is_dead(replace(this_process(proc), pid=GONE), proc)


def test_another_process_under_the_same_id_does_not_count(proc: Path) -> None:
    assert is_dead(replace(this_process(proc), started=499), proc)


@pytest.mark.parametrize("state", ["Z", "X"])
def test_what_has_ended_but_is_still_listed_is_dead(proc: Path, state: str) -> None:
    enter(proc, GONE, started=7, state=state)
    assert is_dead(replace(this_process(proc), pid=GONE, started=7), proc)


def test_nothing_is_known_of_other_hosts(proc: Path) -> None:
    assert not is_dead(replace(this_process(proc), host="boot-1/pid:[43]", pid=GONE), proc)


def test_a_process_that_proc_hides_is_not_dead(proc: Path) -> None:
    assert not is_dead(replace(this_process(proc), pid=os.getppid()), proc)


@pytest.mark.skipif(not PROC.exists(), reason="there is no /proc here")
def test_a_killed_process_is_dead_on_this_machine(tmp_path: Path) -> None:
    with Worker("hold", str(tmp_path / "r.db"), "r") as worker:
        worker.line()
        fields = (PROC / str(worker.pid) / "stat").read_text().rpartition(")")[2].split()
        owner = Owner(this_process().host, worker.pid, int(fields[19]), "here")
        assert not is_dead(owner)
        worker.kill()
        assert is_dead(owner)
