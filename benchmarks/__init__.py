"""What the numbers in README and ARCHITECTURE come from: `python -m benchmarks`."""
