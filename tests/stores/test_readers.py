"""Connections that are lent to readers."""

from __future__ import annotations

import pytest

from agentgraph.stores.readers import Readers


class Connection:
    """Knows how often it was closed."""

    def __init__(self) -> None:
        self.closings: list[str] = []

    def close(self) -> None:
        self.closings.append("now")


def test_a_connection_is_used_again() -> None:
    readers = Readers(Connection)
    first = readers.lend(lambda connection: connection)
    assert readers.lend(lambda connection: connection) is first
    assert first.closings == []
    readers.close()
    assert first.closings == ["now"]


def test_nested_reads_have_a_connection_each() -> None:
    readers = Readers(Connection)
    first, second = readers.lend(lambda one: readers.lend(lambda other: (one, other)))
    assert first is not second


def test_what_breaks_one_connection_ends_all_that_are_idle() -> None:
    readers = Readers(Connection)
    made: list[Connection] = []

    def breaking(connection: Connection) -> None:
        made.append(connection)
        readers.lend(made.append)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        readers.lend(breaking)
    assert [connection.closings for connection in made] == [["now"], ["now"]]
    assert readers.lend(lambda connection: connection) not in made


def test_a_connection_in_use_is_closed_when_its_read_has_ended() -> None:
    readers = Readers(Connection)

    def reading(connection: Connection) -> Connection:
        readers.close()
        assert connection.closings == []
        return connection

    assert readers.lend(reading).closings == ["now"]
