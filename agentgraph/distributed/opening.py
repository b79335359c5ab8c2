"""`open_dispatcher`: one string, one dispatcher."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike, fspath

from agentgraph.graph import Observer, Store
from agentgraph.stores import Cipher, EncryptedStore, open_store

from .dbos_dispatcher import DBOSDispatcher
from .local import LocalDispatcher

__all__ = ["open_dispatcher"]


def open_dispatcher(
    url: str | PathLike[str] | Store = ":memory:",
    *,
    version: str | None = None,
    lease: float = 15.0,
    stale_after: float = 15.0,
    schema: str = "agentgraph",
    observers: Sequence[Observer] = (),
    cipher: Cipher | None = None,
) -> LocalDispatcher | DBOSDispatcher:
    """Open what executes submitted runs.

    Args:
        url: `'postgresql://USER:PASSWORD@HOST:PORT/DATABASE'`: workers on any number of machines do, by DBOS. The path
            of a SQLite file, `':memory:'` or a store: this process does.
        version: Of the code: its runs stand in queues of their own, which workers of other versions do not look into.
        lease: Seconds after which another process may take over a run whose owner is not heard of.
        stale_after: Of a database: seconds after which the work of a worker that is not heard of is given to others.
        schema: Of a database: that of the store.
        observers: Told of what this process submits, begins, hands on and recovers, and of all that happens in the runs
            that it executes.
        cipher: Encrypts what runs hold, as `EncryptedStore` does; how they are dispatched stays readable.

    Raises:
        StoreError: the file or database cannot be opened; says why and what to do.
        UserError: `url` names no store, it is open with other settings, or a library is missing.
    """
    if isinstance(url, str | PathLike) and fspath(url).startswith(("postgres://", "postgresql://")):
        return DBOSDispatcher(
            fspath(url),
            version=version,
            lease=lease,
            stale_after=stale_after,
            schema=schema,
            observers=observers,
            cipher=cipher,
        )
    store = open_store(url, lease=lease)
    return LocalDispatcher(store if cipher is None else EncryptedStore(store, cipher), version, observers)
