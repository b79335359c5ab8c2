"""A function of any shape behind one way to call it."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from types import FunctionType, MethodType
from typing import Any, Generic, overload

from typing_extensions import TypeIs, TypeVar

from agentgraph.concurrency import in_thread
from agentgraph.context import RunContext

from .signatures import takes_context

__all__ = ["Settled", "settle"]

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Settled(Generic[R]):
    """A function that can be awaited, with the run's context handed over if it wants that.

    An async function is awaited where it is called. A sync one runs in a worker thread that sees the caller's context
    variables; the thread cannot be stopped, so a cancelled call waits for it.
    """

    function: Callable[..., Awaitable[R] | R]
    takes_ctx: bool
    is_async: bool

    def __call__(
        self, ctx: RunContext[Any] | None, /, *args: object, **kwargs: object
    ) -> Awaitable[R]:  # Any: any deps
        given = (ctx, *args) if self.takes_ctx else args
        if not self.is_async:
            return self._in_thread(given, kwargs)
        pending: Any = self.function(*given, **kwargs)  # Any: that an async function is awaited, no checker can know
        called: Awaitable[R] = pending
        return called

    async def _in_thread(self, args: tuple[object, ...], kwargs: dict[str, object]) -> R:
        (value,) = await in_thread(partial(self._boxed, args, kwargs))
        # A sync function may hand back an awaitable: a lambda or a decorator around an async one does.
        return await value if _is_awaitable(value) else value

    def _boxed(self, args: tuple[object, ...], kwargs: dict[str, object]) -> tuple[Awaitable[R] | R]:
        # In a box, since trio takes a coroutine that leaves a thread for a mistake and closes it.
        return (self.function(*args, **kwargs),)


@overload
def settle(function: Callable[..., Awaitable[R]], *, takes_ctx: bool | None = None) -> Settled[R]: ...
@overload
def settle(function: Callable[..., R], *, takes_ctx: bool | None = None) -> Settled[R]: ...
def settle(function: Callable[..., Any], *, takes_ctx: bool | None = None) -> Settled[Any]:  # Any: see the overloads
    """Find out once how `function` is called.

    Args:
        function: a function, bound method, callable object or `functools.partial`, sync or async.
        takes_ctx: whether the context is its first argument; None: the annotation of that argument tells.
    """
    if takes_ctx is None:
        takes_ctx = takes_context(function)
    return Settled(function, takes_ctx, _is_async(function))


def _is_async(function: Callable[..., object]) -> bool:
    if isinstance(function, partial):
        return _is_async(function.func)
    if isinstance(function, FunctionType | MethodType):
        return inspect.iscoroutinefunction(function)
    return inspect.iscoroutinefunction(type(function).__call__)


def _is_awaitable(value: Awaitable[R] | R) -> TypeIs[Awaitable[R]]:
    return inspect.isawaitable(value)
