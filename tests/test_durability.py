"""The pages of promises name tests that exist."""

from __future__ import annotations

import ast
import re

import pytest

from tests.shared_data import REPOSITORY


def promises_of(page: str, heading: str = "") -> list[str]:
    """The items of a page, from a heading to what is not promised."""
    text = (REPOSITORY / "docs" / page).read_text(encoding="utf-8").partition("## What is not promised")[0]
    return re.findall(r"^- (?:.|\n  )+", text[text.index(heading) :], flags=re.MULTILINE)


PROMISES = promises_of("durability.md")
OF_FLEETS = promises_of("scaling.md", "## What is promised")


def named_in(promise: str) -> list[str]:
    return re.findall(r"`(test_\w+)`", promise)


@pytest.fixture(scope="module")
def tests() -> set[str]:
    """The name of every test, those that writers of stores get included."""
    files = [*(REPOSITORY / "tests").rglob("*.py"), *(REPOSITORY / "agentgraph" / "stores").rglob("*conformance*/*.py")]
    found = [node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))]
    return {node.name for node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize(
    "promise", PROMISES + OF_FLEETS, ids=lambda promise: named_in(promise)[0] if named_in(promise) else promise
)
def test_a_promise_is_held_by_tests_that_exist(promise: str, tests: set[str]) -> None:
    assert named_in(promise)
    assert [name for name in named_in(promise) if name not in tests] == []


def test_promises_are_found() -> None:
    assert (len(PROMISES) > 50, len(OF_FLEETS) > 10) == (True, True)
