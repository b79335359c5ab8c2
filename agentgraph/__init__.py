"""LLM agents as typed graphs, whose every step is committed before the next one starts.

The names below load with the module they live in, on first use: `import agentgraph` itself costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    "Agent",
    "AgentRun",
    "AgentRunError",
    "AgentRunResult",
    "ApprovalRequired",
    "AudioUrl",
    "BinaryContent",
    "CallDeferred",
    "DeadlineExceeded",
    "DecodeError",
    "DocumentUrl",
    "DownloadError",
    "End",
    "EndStrategy",
    "FallbackExceptionGroup",
    "GraphRuntimeError",
    "GraphSetupError",
    "HandleResponseNode",
    "IllegalTransition",
    "ImageUrl",
    "MemoryStore",
    "ModelHTTPError",
    "ModelRequestNode",
    "ModelRetry",
    "ModelSettings",
    "NativeResult",
    "NodeTimeout",
    "PostgresStore",
    "PromptedResult",
    "RunBusy",
    "RunCancelled",
    "RunContext",
    "RunError",
    "RunExists",
    "RunFenced",
    "RunNotFound",
    "RunNotResumable",
    "RunPaused",
    "RunWaiting",
    "SQLiteStore",
    "StoreError",
    "StreamedRunResult",
    "Tool",
    "ToolApproved",
    "ToolDenied",
    "ToolRequest",
    "UnexpectedModelBehavior",
    "Usage",
    "UsageLimitExceeded",
    "UsageLimits",
    "UserError",
    "UserPromptNode",
    "VideoUrl",
    "__version__",
    "capture_run_messages",
    "format_as_xml",
    "open_store",
]

if TYPE_CHECKING:
    from .agent import (
        Agent,
        AgentRun,
        AgentRunResult,
        EndStrategy,
        HandleResponseNode,
        ModelRequestNode,
        StreamedRunResult,
        ToolApproved,
        ToolDenied,
        ToolRequest,
        UserPromptNode,
        capture_run_messages,
    )
    from .context import RunContext
    from .exceptions import (
        AgentRunError,
        ApprovalRequired,
        CallDeferred,
        DeadlineExceeded,
        DecodeError,
        DownloadError,
        FallbackExceptionGroup,
        GraphRuntimeError,
        GraphSetupError,
        IllegalTransition,
        ModelHTTPError,
        ModelRetry,
        NodeTimeout,
        RunBusy,
        RunCancelled,
        RunError,
        RunExists,
        RunFenced,
        RunNotFound,
        RunNotResumable,
        RunPaused,
        RunWaiting,
        StoreError,
        UnexpectedModelBehavior,
        UsageLimitExceeded,
        UserError,
    )
    from .format import format_as_xml
    from .graph import End
    from .messages import AudioUrl, BinaryContent, DocumentUrl, ImageUrl, VideoUrl
    from .result import NativeResult, PromptedResult
    from .settings import ModelSettings
    from .stores import MemoryStore, PostgresStore, SQLiteStore, open_store
    from .tools import Tool
    from .usage import Usage, UsageLimits
else:
    # Hidden from type checkers, which would otherwise take any name for one that exists.
    # Exceptions have no entry each: a name that is not listed here is looked up among them.
    _HOMES = {
        "Agent": "agent",
        "AgentRun": "agent",
        "AgentRunResult": "agent",
        "AudioUrl": "messages",
        "BinaryContent": "messages",
        "DocumentUrl": "messages",
        "End": "graph",
        "EndStrategy": "agent",
        "HandleResponseNode": "agent",
        "ImageUrl": "messages",
        "MemoryStore": "stores",
        "ModelRequestNode": "agent",
        "ModelSettings": "settings",
        "NativeResult": "result",
        "PostgresStore": "stores",
        "PromptedResult": "result",
        "RunContext": "context",
        "SQLiteStore": "stores",
        "StreamedRunResult": "agent",
        "Tool": "tools",
        "ToolApproved": "agent",
        "ToolDenied": "agent",
        "ToolRequest": "agent",
        "Usage": "usage",
        "UsageLimits": "usage",
        "UserPromptNode": "agent",
        "VideoUrl": "messages",
        "capture_run_messages": "agent",
        "format_as_xml": "format",
        "open_store": "stores",
    }

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'exceptions')}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
