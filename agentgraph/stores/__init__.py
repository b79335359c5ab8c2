"""The stores: where runs are kept. All keep the port of `agentgraph.graph.store`; what is done with any of them.

Only SQLite loads `sqlite3`, only PostgreSQL `psycopg`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentgraph.late import late_names

if TYPE_CHECKING:
    from .care import Keep, Kept, Pruned, prune
    from .ciphers import Cipher, SivCipher, new_key
    from .encrypted import EncryptedStore
    from .memory import MemoryStore
    from .opening import open_store
    from .postgres import PostgresStore
    from .sqlite import SQLiteStore
    from .transfer import export_run, import_run

__all__ = [
    "Cipher",
    "EncryptedStore",
    "Keep",
    "Kept",
    "MemoryStore",
    "PostgresStore",
    "Pruned",
    "SQLiteStore",
    "SivCipher",
    "export_run",
    "import_run",
    "new_key",
    "open_store",
    "prune",
]

if not TYPE_CHECKING:
    __getattr__ = late_names(
        __name__,
        {
            "Cipher": ".ciphers",
            "EncryptedStore": ".encrypted",
            "Keep": ".care",
            "Kept": ".care",
            "MemoryStore": ".memory",
            "PostgresStore": ".postgres",
            "Pruned": ".care",
            "SQLiteStore": ".sqlite",
            "SivCipher": ".ciphers",
            "export_run": ".transfer",
            "import_run": ".transfer",
            "new_key": ".ciphers",
            "open_store": ".opening",
            "prune": ".care",
        },
    )
