"""What an installation brings, in distributions and bytes; `python -m benchmarks.size` measures ours."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .peers.libraries import REPOSITORY

__all__ = ["installed"]

COUNTED = """
import json
from importlib.metadata import distributions
from pathlib import Path
found = [each for each in distributions() if each.metadata["Name"] not in {"pip", "setuptools"}]
files = {Path(each.locate_file(file)) for each in found for file in each.files or ()}
sizes = [file.stat().st_size for file in files if file.suffix != ".pyc" and file.is_file()]
print(json.dumps({"distributions": len(found), "bytes": sum(sizes)}))
"""


def installed(requirements: Sequence[str]) -> dict[str, float]:
    """How many `distributions` pip installs for these, and their `bytes` without bytecode.

    Raises:
        subprocess.CalledProcessError: pip could not install something.
    """
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = str(Path(folder, "bin", "python"))
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
        subprocess.run([*pip, *requirements], check=True, cwd=REPOSITORY)
        counted = subprocess.run([python, "-c", COUNTED], check=True, stdout=subprocess.PIPE, text=True)
    said: dict[str, float] = json.loads(counted.stdout)
    return said


def main() -> None:
    """Measure and print."""
    sizes = installed(["."])
    print(f"{sizes['distributions']:.0f} distributions, {sizes['bytes'] / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
