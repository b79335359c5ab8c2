from __future__ import annotations

import subprocess
import sys

import agentgraph
from tests.cli.calling import CommandLine, command


def test_the_version_is_told(cli: CommandLine) -> None:
    assert cli("--version").out == f"agentgraph {agentgraph.__version__}\n"


def test_python_m_runs_it() -> None:
    assert command("--version").out == f"agentgraph {agentgraph.__version__}\n"


def test_without_a_command_the_commands_are_listed(cli: CommandLine) -> None:
    assert "demo" in cli().err + cli().out


def test_an_unknown_command_is_refused(cli: CommandLine) -> None:
    done = cli("frobnicate")
    assert done.code == 2
    assert "frobnicate" in done.err


def test_without_its_libraries_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['typer'] = None; from agentgraph.cli import main; main(['runs'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "agentgraph: the command line needs typer: pip install 'agentgraph[cli]'\n"


def test_the_package_alone_loads_none_of_its_libraries() -> None:
    code = "import sys, agentgraph.cli; print([n for n in ('typer', 'rich', 'prompt_toolkit') if n in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
