"""`agentgraph demo`: a support desk whose worker is killed in the middle of its work, and goes on."""
