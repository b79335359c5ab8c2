"""The store that a command looks into."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer

from agentgraph.exceptions import StoreError
from agentgraph.graph import Store
from agentgraph.stores import Cipher, EncryptedStore, SivCipher, open_store

from .errors import RefusedError

__all__ = ["DEFAULT_STORE", "StoreOption", "check_there", "existing_store", "given_cipher", "opened_store"]

DEFAULT_STORE = "agentgraph.db"

KEY_VARIABLE = "AGENTGRAPH_KEY"
"""The keys of an encrypted store, the newest first; no option, for other users see a process's options."""

StoreOption = Annotated[
    str, typer.Option("--store", envvar="AGENTGRAPH_STORE", metavar="PATH", help="The file that holds the runs.")
]


@asynccontextmanager
async def existing_store(where: str) -> AsyncGenerator[Store]:
    """The store at `where`, closed with the block. It is looked into, never created.

    Raises:
        RefusedError: there is none, or it cannot be opened.
        UserError: `where` is an address that this release does not know.
    """
    check_there(where)
    async with opened_store(where) as store:
        yield store


@asynccontextmanager
async def opened_store(where: str) -> AsyncGenerator[Store]:
    """The store at `where`, created if there is none, closed with the block.

    Raises:
        RefusedError: it cannot be opened.
        UserError: `where` is an address that this release does not know.
    """
    store = _open(where)
    try:
        yield store
    finally:
        await store.aclose()


def check_there(where: str) -> None:
    """Refuse to create a store where one is only looked into.

    Raises:
        RefusedError: there is none.
    """
    if "://" not in where and not Path(where).is_file():
        raise RefusedError(f"there is no store {where}; name its file with --store or AGENTGRAPH_STORE")


def given_cipher() -> Cipher | None:
    """What the keys in the environment encrypt with; None: there are none."""
    keys = os.environ.get(KEY_VARIABLE, "").split()
    return SivCipher(*keys) if keys else None


def _open(where: str) -> Store:
    try:
        store, cipher = open_store(where), given_cipher()
        return store if cipher is None else EncryptedStore(store, cipher)
    except StoreError as error:
        raise RefusedError(error.message) from error
