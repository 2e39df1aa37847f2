"""What a task costs beside the model: the swarm's executor, coordinated crews, stock CrewAI.

Tiny and in this process by default, so that the script stays sound. To measure, name a size, for
instance ``SWARMLOOM_CREW_BENCHMARK=1000x1000``, and run with ``--benchmark-enable -s``: each way
then runs in a process of its own.
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("crew_overhead.py")
SIZE = os.environ.get("SWARMLOOM_CREW_BENCHMARK")


def _measured(way: str) -> dict[str, float]:
    if SIZE is None:
        return dict(runpy.run_path(str(SCRIPT))["measure"](way, 3, 3))
    agents, _, tasks = SIZE.partition("x")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), way, agents, tasks],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


@pytest.mark.parametrize("way", ["swarm", "coordinated_fast", "coordinated", "stock"])
def test_crew_overhead(
    way: str, benchmark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    figures = benchmark.pedantic(_measured, args=(way,), rounds=1, iterations=1)
    benchmark.extra_info.update(figures, size=SIZE or "3x3")
    line = ", ".join(f"{name} {value:.2f}" for name, value in figures.items())
    print(f"\n{way} {SIZE or '3x3'}: {line}")  # noqa: T201
    assert figures["cpu_ms_per_task"] > 0
