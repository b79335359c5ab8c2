"""Where the command line begins and ends: with a hint if its libraries are missing, with a line if something is wrong.

Exit codes: 0 done; 1 a run failed, or a demonstration's claim did not hold; 2 what was asked cannot be done.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec

from agentgraph.exceptions import AgentRunError, RunNotFound, UserError

from .errors import ToldError

__all__ = ["main"]

NEEDED = ("typer", "rich", "prompt_toolkit")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments name, by default those of the process.

    Raises:
        SystemExit: always; with the exit code.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        _end(2, f"the command line needs {', '.join(missing)}: pip install 'agentgraph[cli]'")
    from .app import app

    try:
        app(args=arguments, prog_name="agentgraph")
    except ToldError as error:
        _end(error.exit_code, error.message)
    except RunNotFound as error:
        _end(2, f"there is no run {error.run_id!r} in this store; `agentgraph runs` lists those there are")
    except UserError as error:
        _end(2, error.message)
    except AgentRunError as error:
        _end(1, str(error))


def _end(code: int, message: str) -> None:
    sys.stderr.write(f"agentgraph: {' '.join(message.split())}\n")
    sys.exit(code)
