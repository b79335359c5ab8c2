"""The page of the manual shows the examples as they are."""

from __future__ import annotations

import pytest

from tests.shared_data import REPOSITORY
from tests.test_repository import Block, blocks_in

PAGE = REPOSITORY / "docs" / "examples.md"
FILES = [path for path in sorted((REPOSITORY / "examples").glob("*.py")) if path.name != "__init__.py"]


@pytest.mark.parametrize("block", [*blocks_in(PAGE)], ids=str)
def test_what_the_page_shows_stands_in_an_example(block: Block) -> None:
    assert any(block.code in path.read_text(encoding="utf-8") for path in FILES)


def test_the_page_names_every_example() -> None:
    page = PAGE.read_text(encoding="utf-8")
    commands = {path.name: f"```sh\npython examples/{path.name}" for path in FILES}
    assert [name for name, command in commands.items() if command not in page] == []
