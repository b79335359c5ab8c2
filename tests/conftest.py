"""What every test gets: both event loops, and a network that ends at this machine."""

from __future__ import annotations

import os
import signal
import sys

import pytest
from hypothesis import settings

from tests.network import refuse_the_network

sys.addaudithook(refuse_the_network)

# Who was started in the background is deaf to Ctrl-C, and so is all that he starts: some tests interrupt a process.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A slow machine is no failure. Most properties are tried on both event loops. What is tried is new each time, but where
# a change is judged: there a failure is to be the change's.
settings.register_profile("agentgraph", deadline=None, max_examples=60, derandomize="CI" in os.environ)
settings.load_profile("agentgraph")


@pytest.fixture(params=["asyncio", "trio"], scope="session")
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Runs every test marked `anyio` once on each event loop."""
    backend: str = request.param
    return backend
