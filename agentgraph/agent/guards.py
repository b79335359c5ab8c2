"""Tells the nodes of a run apart, for type checkers too."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypeIs

from agentgraph.graph import BaseNode, End

from .nodes import HandleResponseNode, ModelRequestNode, UserPromptNode
from .state import FinalResult

__all__ = ["NodeGuards"]

AnyNode = BaseNode[Any, Any, Any] | End[Any]


class NodeGuards:
    """The type guards of an agent: `agent.is_model_request_node(node)`."""

    @staticmethod
    def is_user_prompt_node(node: AnyNode) -> TypeIs[UserPromptNode[Any, Any]]:
        """Whether the node begins a run."""
        return isinstance(node, UserPromptNode)

    @staticmethod
    def is_model_request_node(node: AnyNode) -> TypeIs[ModelRequestNode[Any, Any]]:
        """Whether the node asks the model."""
        return isinstance(node, ModelRequestNode)

    @staticmethod
    def is_handle_response_node(node: AnyNode) -> TypeIs[HandleResponseNode[Any, Any]]:
        """Whether the node handles a reply."""
        return isinstance(node, HandleResponseNode)

    @staticmethod
    def is_end_node(node: AnyNode) -> TypeIs[End[FinalResult[Any]]]:
        """Whether the run has ended."""
        return isinstance(node, End)
