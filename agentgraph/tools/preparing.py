"""The tools of one step."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace

from agentgraph.calling import ToolPrepareFunc, settle
from agentgraph.context import DepsT, RunContext
from agentgraph.exceptions import UserError
from agentgraph.model import ToolDefinition

from .tool import Tool

__all__ = ["prepare"]


async def prepare(
    tools: Mapping[str, Tool[DepsT]], ctx: RunContext[DepsT], retries: Mapping[str, int] | None = None
) -> list[ToolDefinition]:
    """The definitions for a step, in the order of `tools`; a tool without `prepare` gives its own, uncopied.

    Args:
        tools: the tools by name.
        ctx: the context of the step; each `prepare` sees it with its tool's name and retry count.
        retries: how often each tool was retried in this run, 0 if left out.

    Raises:
        UserError: a `prepare` function gave its tool another name, under which it could not be called.
    """
    counts = retries or {}
    definitions = list[ToolDefinition]()
    for name, tool in tools.items():
        definition = tool.definition
        if tool.prepare is not None:
            here = ctx.replace_with(tool_name=name, retry=counts.get(name, 0))
            prepared = await _prepared(tool, tool.prepare, here)
            if prepared is None:
                continue
            definition = prepared
        definitions.append(definition)
    return definitions


async def _prepared(
    tool: Tool[DepsT], function: ToolPrepareFunc[DepsT], ctx: RunContext[DepsT]
) -> ToolDefinition | None:
    # Functions change what they are handed, schema and all; no other run may see that.
    own = tool.definition
    copy = replace(own, parameters_json_schema=deepcopy(own.parameters_json_schema))
    definition = await settle(function, takes_ctx=True)(ctx, copy)
    if definition is not None and definition.name != tool.name:
        msg = f"`prepare` of tool {tool.name!r} renamed it to {definition.name!r}; name a tool with `Tool(name=...)`"
        raise UserError(msg)
    return definition
