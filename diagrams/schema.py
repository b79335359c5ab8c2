"""The tables of an SQLite store, read out of a database that was just made."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from agentgraph.drawing import Chart, Kind, Link, Shape
from agentgraph.graph import Picture
from agentgraph.stores.sqlite_schema import FORMAT, migrate

__all__ = ["schema"]

REFERENCES: Mapping[str, str] = {"run_id": "runs", "parent": "runs", "origin_run": "runs", "digest": "blobs"}
"""The table whose row a column names; `journal.digest` alone is that of a call."""


@dataclass(frozen=True)
class _Column:
    table: str
    name: str
    type: str
    is_key: bool

    @property
    def refers_to(self) -> str | None:
        """The table whose row it names, unless it is what that table's rows are known by."""
        if (self.table, self.name) in {("journal", "digest"), ("runs", "run_id"), ("blobs", "digest")}:
            return None
        return REFERENCES.get(self.name)


def schema() -> Picture:
    """Every table with its columns, and which of them name rows of others."""
    columns = _columns()
    targets = {each.table: {other.refers_to for other in columns if other.table == each.table} for each in columns}
    names = sorted(targets, key=lambda table: len(targets[table] - {table, None}))  # those that refer to nothing first
    tables = {table: [column for column in columns if column.table == table] for table in names}
    links = [(column.table, target, column.name) for column in columns if (target := column.refers_to) is not None]
    lines = ["erDiagram"]
    for table, found in tables.items():
        lines += [f"  {table} {{", *(f"    {each.type} {each.name}{' PK' * each.is_key}" for each in found), "  }"]
    lines += [f"  {target} ||--o{{ {table} : {name}" for table, target, name in links]
    chart = Chart(
        title=f"tables of a store, format {FORMAT}",
        shapes=[_shape(table, found) for table, found in tables.items()],
        links=[Link(*link) for link in links],
        direction="BT",
    )
    return Picture("\n".join(lines), chart)


def _columns() -> list[_Column]:
    with closing(sqlite3.connect(":memory:")) as connection:
        migrate(connection, Path(":memory:"))
        found = connection.execute(
            "SELECT tables.name, columns.name, columns.type, columns.pk FROM sqlite_master AS tables, "
            "pragma_table_info(tables.name) AS columns WHERE tables.type = 'table' ORDER BY tables.rowid, columns.cid"
        ).fetchall()
    return [_Column(table, name, kind, bool(key)) for table, name, kind, key in found]


def _shape(table: str, columns: list[_Column]) -> Shape:
    rows = [(each.name, f"{each.type.lower()}{' key' * each.is_key}") for each in columns]
    return Shape(key=table, text=table, rows=rows, kind=Kind.TABLE)
