"""Every store passes the suite that writers of other stores are given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agentgraph.stores import EncryptedStore, MemoryStore, SivCipher, new_key
from agentgraph.stores.conformance import MakeStore, SharedStoreConformance, StoreConformance
from tests.stores.places import database_place, file_place


class TestMemoryStore(StoreConformance):
    @pytest.fixture
    def make_store(self) -> MakeStore:
        return lambda clock: MemoryStore(clock=clock)


class TestSQLiteStore(SharedStoreConformance):
    @pytest.fixture
    def make_store(self, tmp_path: Path) -> Iterator[MakeStore]:
        with file_place(tmp_path) as place:
            yield place.open


class TestEncryptedStore(SharedStoreConformance):
    @pytest.fixture
    def make_store(self, tmp_path: Path) -> Iterator[MakeStore]:
        cipher = SivCipher(new_key())
        with file_place(tmp_path) as place:
            yield lambda clock: EncryptedStore(place.open(clock), cipher)


class TestPostgresStore(SharedStoreConformance):
    @pytest.fixture
    def make_store(self, tmp_path: Path) -> Iterator[MakeStore]:
        with database_place(tmp_path) as place:
            yield place.open
