"""What importing the library costs, against the two packages it cannot do without.

`import pydantic` alone loads next to nothing, so the floor names what any typed program takes from it.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

__all__ = ["import_cost"]

ROUNDS = 9
BARE = "pass"
FLOOR = "import anyio; from pydantic import BaseModel, TypeAdapter"
PACKAGE = "import agentgraph"
OURS = "from agentgraph import Agent"


def import_cost() -> dict[str, float | str]:
    """Milliseconds of CPU of a fresh interpreter for each import, medians of interleaved rounds, net of a bare one."""
    codes = (BARE, FLOOR, PACKAGE, OURS)
    rounds = [{code: _cpu(code) for code in codes} for _ in range(ROUNDS)]
    bare, floor, package, ours = (statistics.median(each[code] for each in rounds) for code in codes)
    return {
        "workload": "import",
        "floor ms": floor - bare,
        f"{PACKAGE} ms": package - bare,
        f"{OURS} ms": ours - bare,
        "ratio": (ours - bare) / (floor - bare),
    }


def _cpu(code: str) -> float:
    timed = f"import time\n{code}\nprint(time.process_time() * 1000)"
    # With bytecode, as after any installation; some machines are told not to write it.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", timed]
    ran = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return float(ran.stdout)
