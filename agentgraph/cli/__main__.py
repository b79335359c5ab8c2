"""`python -m agentgraph.cli` is `agentgraph`."""

from __future__ import annotations

from .entry import main

main()
