"""What importing the library costs, against the two packages it cannot do without."""

from __future__ import annotations

import statistics
import subprocess
import sys

__all__ = ["import_cost"]

ROUNDS = 9
BARE = "pass"
FLOOR = "import pydantic, anyio"
OURS = "from agentgraph import Agent"


def import_cost() -> dict[str, float | str]:
    """Milliseconds of CPU of a fresh interpreter for each import, medians of interleaved rounds, net of a bare one."""
    rounds = [{code: _cpu(code) for code in (BARE, FLOOR, OURS)} for _ in range(ROUNDS)]
    bare, floor, ours = (statistics.median(each[code] for each in rounds) for code in (BARE, FLOOR, OURS))
    return {
        "workload": "import",
        f"{FLOOR} ms": floor - bare,
        f"{OURS} ms": ours - bare,
        "ratio": (ours - bare) / (floor - bare),
    }


def _cpu(code: str) -> float:
    timed = f"import time\n{code}\nprint(time.process_time() * 1000)"
    return float(subprocess.run([sys.executable, "-c", timed], check=True, capture_output=True, text=True).stdout)
