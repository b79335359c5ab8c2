"""A program of its own, since what a process trusts is read once: agents over https, and a download.

Arguments: the service's URL. The certificates to trust are in `SSL_CERT_FILE`. All that is ever logged goes to stderr.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

import anyio

from agentgraph import Agent, DownloadError, ImageUrl
from agentgraph.models.downloads import download
from agentgraph.settings import DownloadSettings
from tests.models.loops import QUESTION, weather
from tests.models.protocols import PROTOCOLS

LOCAL = DownloadSettings(allow_private=True)


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")


async def here(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


async def ask(url: str) -> None:
    for protocol in PROTOCOLS:
        agent = Agent(protocol.client(f"{url}/{protocol.name}"), tools=[weather])
        tell((await agent.run(QUESTION)).data)
        async with agent.run_stream(QUESTION) as response:
            tell(await response.get_data())


async def fetch(url: str) -> None:
    port = urlsplit(url).port
    tell((await download(ImageUrl(f"https://pictures.example:{port}/a.png"), LOCAL, here)).data.decode())
    try:
        await download(ImageUrl(f"https://others.example:{port}/a.png"), LOCAL, here)
    except DownloadError as error:
        tell(error.reason)


logging.basicConfig(level=logging.DEBUG)
for backend in ("asyncio", "trio"):
    anyio.run(ask, sys.argv[1], backend=backend)
anyio.run(fetch, sys.argv[1])
