"""What the repository says is true: its examples run, its changelog knows the version."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

import agentgraph
from tests.shared_data import REPOSITORY

FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w+)(?P<options>[^\n]*)\n(?P<code>.*?)^(?P=indent)```",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: ```python runs, ```python notest is only compiled."""

    page: Path
    line: int
    code: str
    runs: bool

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"

    def write(self, folder: Path) -> Path:
        """As a module of its own, whose line numbers are those of the page."""
        path = folder / f"{self.page.stem}_line_{self.line}.py"
        path.write_text("\n" * self.line + self.code, encoding="utf-8")
        return path


def blocks_in(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        if found["language"] in {"python", "py"}:
            code = re.sub(rf"^{found['indent']}", "", found["code"], flags=re.MULTILINE)
            yield Block(page, text.count("\n", 0, found.start()) + 1, code, "notest" not in found["options"].split())


def pages() -> list[Path]:
    return [*REPOSITORY.glob("README.md"), *sorted((REPOSITORY / "docs").rglob("*.md"))]


def run(block: Block, folder: Path) -> None:
    """Runs the block as an imported module, so that its classes are found by the name of their module."""
    path = block.write(folder)
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[path.stem]


BLOCKS = [block for page in pages() for block in blocks_in(page)]


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.runs], ids=str)
def test_documented_code_runs(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(block, tmp_path)


@pytest.mark.parametrize("block", [block for block in BLOCKS if not block.runs], ids=str)
def test_other_documented_code_compiles(block: Block) -> None:
    compile(block.code, str(block), "exec")


def test_blocks_are_found_with_their_lines(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# Title\n\n```python\na = 1\n```\n\n- item\n\n  ```python notest\n  b = 2\n  ```\n\n```bash\nls\n```\n"
    )
    assert [(b.line, b.code, b.runs) for b in blocks_in(page)] == [(3, "a = 1\n", True), (9, "b = 2\n", False)]


def test_a_failing_block_points_into_its_page(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError) as failure:
        run(Block(Path("page.md"), 6, "x = 1\nx / 0\n", runs=True), tmp_path)
    assert failure.traceback[-1].lineno + 1 == 8


def test_the_changelog_has_the_version() -> None:
    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{agentgraph.__version__}]" in changelog
