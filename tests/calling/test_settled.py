from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import partial, wraps
from typing import Any

import anyio
import pytest

from agentgraph.calling import settle, takes_context
from agentgraph.context import RunContext
from tests.contexts import context

pytestmark = pytest.mark.anyio

who: ContextVar[str] = ContextVar("who")


class OwnContext(RunContext[int]):
    """A context of somebody's own."""


def plain(x: int) -> int:
    return x + 1


def with_context(ctx: RunContext[int], x: int) -> int:
    return ctx.deps + x


async def plain_async(x: int) -> int:
    return x + 1


async def async_with_context(ctx: RunContext[int], x: int) -> int:
    return ctx.deps + x


class Adder:
    def __init__(self, deps: int) -> None:
        self.deps = deps

    def add(self, ctx: RunContext[int], x: int) -> int:
        return self.deps + ctx.deps + x

    @classmethod
    def add_to_class(cls, ctx: RunContext[int], x: int) -> int:
        return ctx.deps + x

    @staticmethod
    async def add_static(x: int) -> int:
        return x

    async def __call__(self, ctx: RunContext[int], x: int) -> int:
        return self.deps + ctx.deps + x


# Functions without annotations. Any: they say nothing of what they take.
identity: Callable[[Any], Any] = lambda x: x  # noqa: E731
deps_of: Callable[[Any], Any] = lambda ctx: ctx.deps  # noqa: E731
no_annotation: Callable[[Any, Any], Any] = lambda ctx, data: data  # noqa: E731


def with_default(data: object, strict: bool = False) -> object:  # noqa: FBT001, FBT002
    return data


def three(ctx: Any, data: object, strict: bool = False) -> object:  # noqa: FBT001, FBT002 - Any: no RunContext
    return data


def doubled(function: Callable[[int], Awaitable[int]]) -> Callable[[int], Awaitable[int]]:
    """Decorate with a sync function that hands back an awaitable."""

    @wraps(function)
    def wrapper(x: int) -> Awaitable[int]:
        return function(2 * x)

    return wrapper


SHAPES: list[tuple[Callable[..., object], int, bool]] = [
    (plain, 2, False),
    (with_context, 11, False),
    (plain_async, 2, True),
    (async_with_context, 11, True),
    (Adder(100).add, 111, False),
    (Adder.add_to_class, 11, False),
    (Adder.add_static, 1, True),
    (Adder(100), 111, True),
    (partial(Adder(100)), 111, True),
    (partial(with_context), 11, False),
    (partial(partial(plain_async)), 2, True),
    (doubled(plain_async), 3, False),
    (identity, 1, False),
    (abs, 1, False),
]


@pytest.mark.parametrize(("function", "result", "is_async"), SHAPES)
async def test_any_shape_of_function_is_called_alike(
    function: Callable[..., object], result: int, *, is_async: bool
) -> None:
    settled = settle(function)
    assert settled.is_async is is_async
    assert await settled(context(10), 1) == result


async def test_names_of_the_call_itself_can_be_keywords() -> None:
    def odd(*, self: int, ctx: int) -> int:
        return self + ctx

    assert await settle(odd)(context(None), self=1, ctx=2) == 3


async def test_what_the_caller_says_about_the_context_counts() -> None:
    assert await settle(deps_of, takes_ctx=True)(context(7)) == 7


async def test_a_sync_function_runs_in_a_thread_with_the_context_variables() -> None:
    who.set("me")

    def look() -> tuple[str, bool]:
        return who.get(), threading.current_thread() is here

    here = threading.current_thread()
    assert await settle(look)(context(None)) == ("me", False)


async def test_an_async_function_runs_in_the_task_that_calls_it() -> None:
    async def look() -> anyio.TaskInfo:
        return anyio.get_current_task()

    assert await settle(look)(context(None)) == anyio.get_current_task()


async def test_a_cancelled_call_waits_for_its_thread() -> None:
    running, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        running.set()
        go_on.wait()
        done.set()

    async def cancel_it(scope: anyio.CancelScope) -> None:
        await anyio.to_thread.run_sync(running.wait)
        scope.cancel()
        go_on.set()

    async with anyio.create_task_group() as group:
        with anyio.CancelScope() as scope:
            group.start_soon(cancel_it, scope)
            await settle(work)(context(None))
        assert done.is_set()


def late_context(x: int, ctx: RunContext[int]) -> int:
    return x + ctx.deps


def unknown_deps(ctx: RunContext[NotThere]) -> None:  # type: ignore[name-defined] # noqa: F821 # pyright: ignore[reportUndefinedVariable]
    pass


def unknown_word(ctx: NotThere) -> None:  # type: ignore[name-defined] # noqa: F821 # pyright: ignore[reportUndefinedVariable]
    pass


def own_context(ctx: OwnContext) -> None:
    pass


def keywords_only(*, ctx: RunContext[int]) -> None:
    pass


BY_ANNOTATION: list[tuple[Callable[..., object], bool]] = [
    (with_context, True),
    (own_context, True),
    (unknown_deps, True),
    (unknown_word, False),
    (partial(with_context, context(1)), False),
    (late_context, False),
    (keywords_only, False),
    (no_annotation, False),
    (lambda: None, False),
    (dict, False),
]


@pytest.mark.parametrize(("function", "wants_it"), BY_ANNOTATION)
def test_the_first_annotation_tells_whether_a_context_is_wanted(
    function: Callable[..., object], *, wants_it: bool
) -> None:
    assert takes_context(function) is wants_it


BY_NUMBER: list[tuple[Callable[..., object], bool]] = [
    (no_annotation, True),
    (partial(no_annotation, 1), False),
    (with_default, False),
    (three, True),
    (lambda: None, False),
]


@pytest.mark.parametrize(("function", "wants_it"), BY_NUMBER)
def test_or_the_number_of_arguments_does(function: Callable[..., object], *, wants_it: bool) -> None:
    assert takes_context(function, besides=1) is wants_it
