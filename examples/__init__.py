"""Whole jobs, each in one file that needs nothing but agentgraph: `python examples/documents.py`."""
