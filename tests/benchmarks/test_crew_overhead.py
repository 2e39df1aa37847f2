"""What a task costs beside the model: the swarm's executor, coordinated crews, stock CrewAI.

Small by default; ``SWARMLOOM_CREW_BENCHMARK=1000x1000`` measures a thousand agents on a thousand
tasks. Each way runs in a process of its own. Run with ``--benchmark-enable -s``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("crew_overhead.py")
SIZE = os.environ.get("SWARMLOOM_CREW_BENCHMARK", "5x5")


def _measured(way: str) -> dict[str, float]:
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
def test_crew_overhead(way: str, benchmark: Any) -> None:
    figures = benchmark.pedantic(_measured, args=(way,), rounds=1, iterations=1)
    benchmark.extra_info.update(figures, size=SIZE)
    line = ", ".join(f"{name} {value:.2f}" for name, value in figures.items())
    print(f"\n{way} {SIZE}: {line}")  # noqa: T201
    assert figures["cpu_ms_per_task"] > 0
