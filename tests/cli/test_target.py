from __future__ import annotations

from pathlib import Path

import pytest

from agentgraph.cli.errors import RefusedError
from agentgraph.cli.target import load


def test_an_attribute_of_an_installed_module_is_loaded() -> None:
    assert load("pathlib:Path.home") == Path.home


def test_a_module_of_the_current_folder_is_loaded(bot: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(f"{bot}:__doc__") == "A small agent for the command line."


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("pathlib", "write module:attr"),
        (":attr", "write module:attr"),
        ("pathlib:", "write module:attr"),
        ("no_such_module:x", "there is no module 'no_such_module'"),
        ("pathlib.nothing:x", "there is no module 'pathlib.nothing'"),
        ("pathlib:Pth", "did you mean Path?"),
        ("pathlib:zzzzz", "there is no 'zzzzz' in module 'pathlib'"),
    ],
)
def test_what_is_not_there_is_refused(target: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RefusedError) as refused:
        load(target)
    assert said in refused.value.message


@pytest.mark.parametrize(
    ("code", "said"),
    [("import no_such_library", "No module named 'no_such_library'"), ("1 / 0", "ZeroDivisionError: division by zero")],
)
def test_a_module_that_cannot_be_imported_says_why(
    code: str, said: str, bot: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"{bot}.py").write_text(code)
    with pytest.raises(RefusedError) as refused:
        load(f"{bot}:agent")
    assert "cannot be imported" in refused.value.message
    assert said in refused.value.message
