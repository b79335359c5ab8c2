"""The suite for stores finds what is wrong with one, and the store of the manual passes it."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import pytest

from agentgraph import MemoryStore
from agentgraph.graph import Commit, Status
from agentgraph.stores.conformance import HandClock, StoreConformance
from tests.shared_data import REPOSITORY
from tests.test_imports import loaded_by
from tests.test_repository import blocks_in


def store_of_the_manual() -> type[object]:
    """The example's test, as pytest would collect it."""
    page = REPOSITORY / "docs" / "stores.md"
    (block,) = (block for block in blocks_in(page) if "StoreConformance" in block.code)
    module = ModuleType("store_of_the_manual")
    exec(compile(block.code, str(page), "exec"), vars(module))  # noqa: S102 - the page is ours
    found: type[object] = module.TestBookedStore
    return found


TestBookedStore = store_of_the_manual()


class Unfenced(MemoryStore):
    """Writes for whoever asks."""

    async def commit(self, commit: Commit) -> Status:
        return await super().commit(replace(commit, epoch=(await self.load(commit.run_id)).epoch))


@pytest.mark.anyio
async def test_a_store_that_keeps_no_rule_fails() -> None:
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        await StoreConformance().test_an_old_epoch_writes_nothing(Unfenced())


@pytest.mark.anyio
async def test_a_failing_assert_shows_its_values() -> None:
    with pytest.raises(AssertionError, match=r"where .* = RunRecord\("):
        await StoreConformance().test_a_new_run_is_claimed_by_its_creator(MemoryStore(), HandClock(1.0))


def test_only_the_suite_loads_pytest() -> None:
    assert "pytest" not in loaded_by("import agentgraph.stores, agentgraph.stores.samples, agentgraph.testing")
