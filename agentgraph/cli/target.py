"""From `module:attr` to the object."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from typing_extensions import TypeIs

from agentgraph.agent import Agent
from agentgraph.graph import Graph

from .errors import RefusedError

__all__ = ["is_agent", "is_graph", "load"]


# Any: what these are generic in does not show at run time.
def is_agent(found: object) -> TypeIs[Agent[Any, Any]]:
    """Whether it is an agent."""
    return isinstance(found, Agent)


def is_graph(found: object) -> TypeIs[Graph[Any, Any, Any]]:
    """Whether it is a graph."""
    return isinstance(found, Graph)


def load(target: str) -> object:
    """The object that `module:attr` names; modules are looked for in the current folder too.

    Raises:
        RefusedError: it is not written so, there is no such module or attribute, or the module cannot be imported.
    """
    module_name, colon, path = target.partition(":")
    if not (module_name and colon and path):
        raise RefusedError(f"{target!r} names no object; write module:attr, such as my_app.agents:support")
    found: object = _import(module_name)
    for name in path.split("."):
        if name not in dir(found):
            near = get_close_matches(name, dir(found), 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise RefusedError(f"there is no {path!r} in module {module_name!r}{hint}")
        found = getattr(found, name)
    return found


def _import(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise RefusedError(f"there is no module {error.name!r}, neither installed nor in {here}") from error
        raise RefusedError(f"module {name!r} cannot be imported: {error}") from error
    except Exception as error:
        raise RefusedError(f"module {name!r} cannot be imported: {type(error).__name__}: {error}") from error
