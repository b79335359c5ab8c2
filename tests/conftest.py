"""What every test gets: both event loops, and a network that ends at this machine."""

from __future__ import annotations

import sys

import pytest
from hypothesis import settings

from tests.network import refuse_the_network

sys.addaudithook(refuse_the_network)

# A slow machine is no failure.
settings.register_profile("agentgraph", deadline=None)
settings.load_profile("agentgraph")


@pytest.fixture(params=["asyncio", "trio"], scope="session")
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Runs every test marked `anyio` once on each event loop."""
    backend: str = request.param
    return backend
