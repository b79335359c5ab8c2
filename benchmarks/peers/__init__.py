"""The same work done by agentgraph, by its peers and by hand, side by side: `python -m benchmarks.peers`."""
