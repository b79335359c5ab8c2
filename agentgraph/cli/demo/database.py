"""The support desk's own database: what its tools read and change, and what the demonstration is judged by.

It knows nothing of runs. Every tool call is written down with the process it happened in; nothing prevents a second
refund, so that there is only one is the merit of the run's journal alone.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["CallMade", "Customer", "Escalation", "Order", "Refund", "Shop"]

_TABLES = """
    CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, email TEXT UNIQUE, since TEXT);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers, item TEXT, cents INTEGER,
        ordered_on TEXT, status TEXT);
    CREATE TABLE tickets (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers, subject TEXT, status TEXT);
    CREATE TABLE notes (id INTEGER PRIMARY KEY, ticket_id INTEGER REFERENCES tickets, body TEXT);
    CREATE TABLE refunds (id INTEGER PRIMARY KEY, order_id INTEGER REFERENCES orders, cents INTEGER, reason TEXT);
    CREATE TABLE escalations (key TEXT PRIMARY KEY, ticket_id INTEGER REFERENCES tickets, reason TEXT,
        opened_at REAL, person TEXT);
    CREATE TABLE calls (id INTEGER PRIMARY KEY, key TEXT, tool TEXT, pid INTEGER);
"""

_CUSTOMERS = (
    (1, "Ada Quist", "ada@example.com", "2021-03-14"),
    (2, "Ben Okafor", "ben@example.com", "2023-08-01"),
    (3, "Carla Ruiz", "carla@example.com", "2019-11-23"),
)
_ORDERS = (
    (101, 1, "burr grinder", 8900, "2025-01-09", "delivered"),
    (102, 1, "espresso machine", 18900, "2025-02-20", "delivered"),
    (103, 1, "cleaning tablets", 1250, "2025-02-20", "delivered"),
    (104, 2, "stovetop pot", 3400, "2025-02-11", "delivered"),
    (105, 2, "milk jug", 1900, "2025-03-02", "in transit"),
    (106, 3, "espresso machine", 42900, "2025-01-30", "delivered"),
)
_TICKETS = (
    (7, 1, "Cracked tank", "open"),
    (8, 2, "Where is my jug?", "open"),
    (9, 3, "Machine does not heat", "open"),
)


@dataclass(frozen=True)
class Customer:
    """Someone who bought something."""

    id: int
    name: str
    email: str
    since: str


@dataclass(frozen=True)
class Order:
    """One item that a customer bought."""

    id: int
    customer_id: int
    item: str
    cents: int
    ordered_on: str
    status: str


@dataclass(frozen=True)
class Refund:
    """Money given back."""

    id: int
    order_id: int
    cents: int
    reason: str


@dataclass(frozen=True)
class Escalation:
    """A ticket handed to a person."""

    key: str
    ticket_id: int
    reason: str
    opened_at: float
    """Unix time, seconds."""
    person: str | None
    """Who has taken it up; None: nobody yet."""


@dataclass(frozen=True)
class CallMade:
    """A tool was called: which call, which tool, in which process."""

    key: str
    tool: str
    pid: int


@dataclass(frozen=True)
class Shop:
    """The database. Each use is a connection and a transaction of its own, in whatever thread and process."""

    path: Path

    def create(self) -> None:
        """Make the tables and fill them."""
        with self._transaction() as connection:
            for statement in filter(None, map(str.strip, _TABLES.split(";"))):
                connection.execute(statement)
            connection.executemany("INSERT INTO customers VALUES (?, ?, ?, ?)", _CUSTOMERS)
            connection.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?)", _ORDERS)
            connection.executemany("INSERT INTO tickets VALUES (?, ?, ?, ?)", _TICKETS)

    def customer(self, email: str) -> Customer | None:
        """Who has this address."""
        found = self._rows("SELECT id, name, email, since FROM customers WHERE email = lower(?)", email)
        return Customer(*found[0]) if found else None

    def order(self, order_id: int) -> Order | None:
        """One order."""
        found = self._rows("SELECT id, customer_id, item, cents, ordered_on, status FROM orders WHERE id = ?", order_id)
        return Order(*found[0]) if found else None

    def orders(self, customer_id: int) -> list[Order]:
        """All orders of a customer, the newest first."""
        query = """
            SELECT id, customer_id, item, cents, ordered_on, status FROM orders
            WHERE customer_id = ? ORDER BY ordered_on DESC, id
        """
        return [Order(*row) for row in self._rows(query, customer_id)]

    def has_ticket(self, ticket_id: int) -> bool:
        """Whether there is such a ticket."""
        return bool(self._rows("SELECT id FROM tickets WHERE id = ?", ticket_id))

    def refund(self, order_id: int, cents: int, reason: str) -> Refund:
        """Give money back. Called twice, it gives it back twice."""
        with self._transaction() as connection:
            given = connection.execute(
                "INSERT INTO refunds (order_id, cents, reason) VALUES (?, ?, ?)", (order_id, cents, reason)
            )
            return Refund(int(given.lastrowid or 0), order_id, cents, reason)

    def add_note(self, ticket_id: int, body: str) -> int:
        """Write a note; returns its id."""
        with self._transaction() as connection:
            added = connection.execute("INSERT INTO notes (ticket_id, body) VALUES (?, ?)", (ticket_id, body))
            return int(added.lastrowid or 0)

    def escalate(self, key: str, ticket_id: int, reason: str) -> Escalation:
        """Hand a ticket to a person, once for each key; returns how that stands."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO escalations VALUES (?, ?, ?, ?, NULL)", (key, ticket_id, reason, time.time())
            )
        return self.escalation(key)

    def escalation(self, key: str) -> Escalation:
        """How an escalation stands."""
        return next(each for each in self.escalations if each.key == key)

    def take_up(self, key: str, person: str) -> None:
        """A person takes an escalation up."""
        with self._transaction() as connection:
            connection.execute("UPDATE escalations SET person = ? WHERE key = ?", (person, key))

    def log_call(self, key: str, tool: str) -> None:
        """Write down that this process makes a call."""
        with self._transaction() as connection:
            connection.execute("INSERT INTO calls (key, tool, pid) VALUES (?, ?, ?)", (key, tool, os.getpid()))

    @property
    def refunds(self) -> list[Refund]:
        """All refunds."""
        return [Refund(*row) for row in self._rows("SELECT id, order_id, cents, reason FROM refunds ORDER BY id")]

    @property
    def calls(self) -> list[CallMade]:
        """All calls of tools, in the order made."""
        return [CallMade(*row) for row in self._rows("SELECT key, tool, pid FROM calls ORDER BY id")]

    @property
    def escalations(self) -> list[Escalation]:
        """All escalations, in the order opened."""
        query = "SELECT key, ticket_id, reason, opened_at, person FROM escalations ORDER BY opened_at"
        return [Escalation(*row) for row in self._rows(query)]

    def _rows(self, query: str, *values: object) -> Sequence[tuple[Any, ...]]:  # sqlite3 does not know types of columns
        with self._transaction() as connection:
            return connection.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, timeout=10)) as connection, connection:
            yield connection
