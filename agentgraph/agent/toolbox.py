"""The tools of an agent, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentgraph.exceptions import UserError
from agentgraph.model import ToolDefinition
from agentgraph.tools import Tool

__all__ = ["Toolbox"]


class Toolbox:
    """The tools of an agent, and how often and how long they may try. Tools come in until it first runs, or later."""

    def __init__(self, retries: int = 1, timeout: float | None = None) -> None:
        self.retries = retries
        """How often in a row a tool may be asked for again, where it does not say itself."""
        self.timeout = timeout
        """Seconds a call may take, where its tool does not say itself."""
        self._tools: dict[str, Tool[Any]] = {}  # Any: Tool is invariant, an agent's tools take its deps or none
        self.tools: Mapping[str, Tool[Any]] = self._tools
        """By name, in the order they came in."""
        self._prepared = False
        self._fixed: list[ToolDefinition] | None = None

    def add(self, tool: Tool[Any]) -> None:
        """Take a tool in.

        Raises:
            UserError: the name is taken by another one.
        """
        if tool.name in self._tools:
            raise UserError(f"there is a tool named {tool.name!r} already; give one of the two another `name=`")
        self._tools[tool.name] = tool
        self._prepared = self._prepared or tool.prepare is not None
        self._fixed = None

    def max_retries(self, name: str) -> int:
        """How often in a row this tool may be asked for again."""
        own = self._tools[name].max_retries
        return self.retries if own is None else own

    @property
    def fixed(self) -> list[ToolDefinition] | None:
        """What the model is told in every request, made once; None if a tool has a `prepare`, which is asked each time.

        Raises:
            UserError: an annotation uses a name that is not defined.
        """
        if self._fixed is None and not self._prepared:
            self._fixed = [tool.definition for tool in self._tools.values()]
        return self._fixed
