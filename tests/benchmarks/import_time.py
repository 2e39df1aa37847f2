"""How long `import swarmloom` and the command line's first answers take; prints, asserts nothing.

Run: ``python tests/benchmarks/import_time.py``. Each figure is the least and the median of ten
fresh interpreters, without the interpreter's own start.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

CASES = {
    "import swarmloom": "import swarmloom",
    "from swarmloom import Swarm": "from swarmloom import Swarm",
    "swarmloom --version": "from swarmloom.cli import main; main(['--version'])",
    "swarmloom --help": "from swarmloom.cli import main; main(['--help'])",
}

PROGRAM = """
import atexit, sys, time
started = time.perf_counter()
atexit.register(lambda: print(time.perf_counter() - started, file=sys.stderr))
{code}
"""


def seconds(code: str) -> float:
    """Time one fresh interpreter from the first line of the program to its exit."""
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(code=code)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(run.stderr.splitlines()[-1])


def main() -> None:
    """Print a row a case."""
    for name, code in CASES.items():
        times = [seconds(code) for _ in range(10)]
        sys.stdout.write(f"{name:30} {min(times):.3f} s  median {statistics.median(times):.3f} s\n")


if __name__ == "__main__":
    main()
