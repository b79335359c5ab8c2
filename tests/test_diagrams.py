"""The diagrams are what the code says today."""

from __future__ import annotations

from pathlib import Path

import pytest

from diagrams import write, write_examples
from tests.shared_data import REPOSITORY

FOLDER = REPOSITORY / "diagrams"


def test_the_diagrams_are_current(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path)
    drawn = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    kept = {
        path.name: path.read_text(encoding="utf-8") for suffix in ("mmd", "svg") for path in FOLDER.glob(f"*.{suffix}")
    }
    assert drawn == kept, "run `make diagrams`"
    assert capsys.readouterr().out.count("wrote ") == len(drawn)


def test_the_pictures_of_the_manual_are_current(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_examples(tmp_path)
    drawn = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    kept = {path.name: path.read_text(encoding="utf-8") for path in (REPOSITORY / "docs" / "pictures").iterdir()}
    assert drawn == kept, "run `make diagrams`"
    assert capsys.readouterr().out.count("wrote ") == len(drawn)
