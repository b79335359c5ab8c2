"""The sizes that the code keeps to: a unit over a limit is split by concern."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.shared_data import REPOSITORY

MODULE_LINES = 400
FUNCTION_LINES = 40
PUBLIC_METHODS = 12
OVERLOADS = 2

Function = ast.FunctionDef | ast.AsyncFunctionDef

SIZE_RULES = re.compile(r"noqa(?!:)|noqa:.*\b(C901|PLR09\d+|PLR1702)\b")
"""A `noqa` without a code switches the size rules off as well."""


def modules(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((REPOSITORY / folder).rglob("*.py"))


def named(path: Path, node: Function | ast.ClassDef | None = None) -> str:
    place = path.relative_to(REPOSITORY)
    return str(place) if node is None else f"{place}:{node.lineno} {node.name}"


def nodes() -> Iterator[tuple[Path, ast.AST]]:
    for path in modules("agentgraph"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            yield path, node


def lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def lines_without_docstring(function: Function) -> int:
    return lines(function) - (lines(function.body[0]) if ast.get_docstring(function) is not None else 0)


def decorators(function: Function) -> set[str]:
    """Last words of the decorators: `property` of `@property`, `setter` of `@name.setter`."""
    return {ast.unparse(decorator).split("(")[0].rsplit(".", 1)[-1] for decorator in function.decorator_list}


def functions(body: list[ast.stmt]) -> list[Function]:
    return [node for node in body if isinstance(node, Function)]


def public_methods(owner: ast.ClassDef) -> set[str]:
    """Names without an underscore that are called: a property is read like a field, and counts as one."""
    data = {"property", "cached_property", "setter", "deleter"}
    return {f.name for f in functions(owner.body) if not f.name.startswith("_") and not decorators(f) & data}


def report(rule: str, offenders: list[str]) -> str:
    return "\n".join([rule, *offenders])


def test_modules_are_short() -> None:
    sizes = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules("agentgraph")}
    offenders = [f"{size} {named(path)}" for path, size in sizes.items() if size > MODULE_LINES]
    assert not offenders, report(f"modules of more than {MODULE_LINES} lines", offenders)


def test_functions_are_short() -> None:
    offenders = [
        f"{lines_without_docstring(node)} {named(path, node)}"
        for path, node in nodes()
        if isinstance(node, Function) and lines_without_docstring(node) > FUNCTION_LINES
    ]
    assert not offenders, report(f"functions of more than {FUNCTION_LINES} lines without docstring", offenders)


def test_classes_have_few_public_methods() -> None:
    offenders = [
        f"{len(public_methods(node))} {named(path, node)}"
        for path, node in nodes()
        if isinstance(node, ast.ClassDef) and len(public_methods(node)) > PUBLIC_METHODS
    ]
    assert not offenders, report(f"classes with more than {PUBLIC_METHODS} public methods", offenders)


def test_functions_have_few_overloads() -> None:
    offenders: list[str] = []
    for path, node in nodes():
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            counts = Counter(f.name for f in functions(node.body) if "overload" in decorators(f))
            offenders += [f"{count} {named(path)} {name}" for name, count in counts.items() if count > OVERLOADS]
    assert not offenders, report(f"functions with more than {OVERLOADS} overloads", offenders)


def test_no_size_rule_is_switched_off() -> None:
    offenders: list[str] = []
    for path in modules("agentgraph", "tests", "benchmarks", "diagrams", "examples"):
        tokens = tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
        comments = [token for token in tokens if token.type == tokenize.COMMENT]
        offenders += [f"{named(path)}:{c.start[0]} {c.string}" for c in comments if SIZE_RULES.search(c.string)]
    assert not offenders, report("comments that switch a size rule off", offenders)
