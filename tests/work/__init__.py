"""What agentgraph does in numbers of anything that can be counted, so that a regression fails without a clock."""
