"""What a model may call: `tool_choice` and the kind of result, settled once for all protocols."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agentgraph.exceptions import UserError
from agentgraph.model import ModelRequestParameters, ToolDefinition
from agentgraph.settings import ModelSettings

__all__ = ["ToolChoice", "tool_choice"]


@dataclass(frozen=True)
class ToolChoice:
    """The tools of a request, and whether one has to be called."""

    tools: list[ToolDefinition]
    """All of them, those that are not among the named ones included."""
    mode: Literal["auto", "required", "none"]
    named: list[str]
    """The only tools that may be called; empty: any. Then the mode is `required`."""

    @property
    def allowed(self) -> list[ToolDefinition]:
        """The tools that may be called: what to offer where a protocol cannot name them."""
        return [tool for tool in self.tools if tool.name in self.named] if self.named else self.tools


def tool_choice(settings: ModelSettings, parameters: ModelRequestParameters) -> ToolChoice:
    """Settle which tools are offered and demanded.

    Raises:
        UserError: the setting names a tool that there is none of.
    """
    tools = [*parameters.function_tools, *parameters.result_tools]
    if not tools:
        return ToolChoice([], "auto", [])
    choice = settings.get("tool_choice")
    if choice is None:
        return ToolChoice(tools, "auto" if parameters.allow_text_result else "required", [])
    if not isinstance(choice, list):
        return ToolChoice(tools, choice, [])
    known = [tool.name for tool in tools]
    unknown = [name for name in choice if name not in known]
    if unknown or not choice:
        raise UserError(f"tool_choice names {', '.join(unknown) or 'no tool'}; there are {', '.join(known)}")
    return ToolChoice(tools, "required", choice)
