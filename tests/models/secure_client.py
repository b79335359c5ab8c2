"""A program of its own, since what a process trusts is read once: an agent over https, and a download.

Arguments: the service's URL. The certificates to trust are in `SSL_CERT_FILE`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

import anyio

from agentgraph import Agent, DownloadError, ImageUrl
from agentgraph.models.downloads import download
from agentgraph.models.openai import OpenAIModel
from agentgraph.settings import DownloadSettings
from tests.models.loops import QUESTION, weather

LOCAL = DownloadSettings(allow_private=True)


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")


async def here(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


async def ask(url: str) -> None:
    agent = Agent(OpenAIModel("gpt-4o", api_key="sk-made-up", base_url=f"{url}/v1"), tools=[weather])
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


for backend in ("asyncio", "trio"):
    anyio.run(ask, sys.argv[1], backend=backend)
anyio.run(fetch, sys.argv[1])
