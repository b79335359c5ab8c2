"""The command line, `agentgraph`: a demonstration, a chat, and what is in a store. Needs the extra `cli`."""

from __future__ import annotations

from .entry import main

__all__ = ["main"]
