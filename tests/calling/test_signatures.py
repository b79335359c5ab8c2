from __future__ import annotations

from functools import partial, wraps
from typing import Annotated

import pytest

from agentgraph.calling import Unresolved, documentation, is_context, parameters, resolve, underlying
from agentgraph.context import RunContext


def hello(name: str, *, key: str = "") -> str:
    """Say hello."""
    return name + key


class Greeter:
    """Greets."""

    def greet(self, name: str) -> str:
        """Greet one."""
        return name

    def __call__(self, name: str) -> str:
        return name


@wraps(hello)
def wrapped(*args: str) -> str:
    return hello(*args)


def test_the_plain_function_is_found() -> None:
    assert underlying(partial(partial(hello), "x")) is hello
    assert underlying(wrapped) is hello
    assert underlying(Greeter().greet) is Greeter.greet
    assert underlying(Greeter()) is Greeter.__call__
    assert underlying(Greeter) is Greeter
    assert underlying(len) is len


def test_what_a_partial_has_bound_is_no_parameter() -> None:
    assert [one.name for one in parameters(partial(hello, key="secret"))] == ["name"]
    assert [one.name for one in parameters(partial(hello, "me"))] == ["key"]


def test_a_function_without_signature_is_an_error() -> None:
    with pytest.raises(ValueError, match="signature"):
        parameters(dict)


def test_annotations_are_read_where_the_function_was_written() -> None:
    assert resolve(hello, "Greeter | None") == Greeter | None
    assert resolve(Greeter, "Greeter") is Greeter
    assert resolve(len, "int") is int
    assert resolve(hello, list["Greeter"]) == list[Greeter]


def test_names_of_an_enclosing_function_are_known_while_it_runs() -> None:
    class Local: ...

    def use(x: Local) -> None: ...

    assert resolve(use, "Local") is Local

    class Method:
        def use(self, x: Local) -> None: ...

    assert resolve(Method.use, "Local") is Local


@pytest.mark.parametrize("annotation", ["Nowhere", "pytest.nowhere", "no type at all", "Greeter[int]"])
def test_what_means_nothing_is_said_to(annotation: str) -> None:
    found = resolve(hello, annotation)
    assert isinstance(found, Unresolved)
    assert found.annotation == annotation
    assert found.reason


def test_what_means_nothing_need_not_be_text() -> None:
    found = resolve(hello, list["Nowhere"])  # type: ignore[name-defined] # noqa: F821 # pyright: ignore[reportUndefinedVariable]
    assert isinstance(found, Unresolved)
    assert "Nowhere" in found.annotation


def test_an_annotated_context_is_a_context() -> None:
    assert is_context(Annotated[RunContext[int], "the context"])
    assert is_context(RunContext)
    assert not is_context(int)
    assert not is_context(list[RunContext[int]])
    assert is_context(Unresolved("agentgraph.RunContext[X]", ""))
    assert not is_context(Unresolved("RunContextual", ""))


def test_docstrings_come_from_the_plain_function_or_the_class() -> None:
    class Silent:
        def __call__(self) -> None: ...

    assert documentation(partial(hello, "x")) == "Say hello."
    assert documentation(Greeter().greet) == "Greet one."
    assert documentation(Greeter()) == "Greets."
    assert documentation(Greeter) == "Greets."
    assert documentation(Silent()) is None
    assert documentation(lambda: None) is None
