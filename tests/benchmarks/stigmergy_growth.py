"""How the cost of stigmergy grows with cells, agents and keys, as a picture.

    python -m tests.benchmarks.stigmergy_growth docs/images/stigmergy-growth.svg

Nanoseconds of one thread's CPU time, the least of several tries; sizes are powers of four or ten.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from swarmloom.device import use_threads
from swarmloom_protocols.stigmergy.field.field import PheromoneField
from swarmloom_protocols.stigmergy.physarum.swarm import PhysarumSwarm
from swarmloom_protocols.stigmergy.traces.store import TraceStore
from tests.benchmarks.measuring import least_cpu_seconds

SIDES = (32, 64, 128, 256, 512, 1024, 2048, 4096)
AGENTS = (10**3, 10**4, 10**5, 10**6)
KEYS = (10**2, 10**3, 10**4, 10**5, 10**6)
TRIES = 5
CALLS = 20_000

Curve = list[tuple[float, float]]


def field_steps(together: int) -> Curve:
    """Nanoseconds a cell and step, by cells."""
    curve = []
    for side in SIDES:
        field = PheromoneField((side, side), 1, diffusion=0.2, evaporation=0.01, device="cpu")
        field.deposit([[side // 2, side // 2]], 1.0)
        field.step(together)
        repeats = max(1, 2**20 // side**2)
        spent = least_cpu_seconds(
            lambda field=field, n=repeats: [field.step(together) for _ in range(n)], TRIES
        )
        curve.append((side**2, 1e9 * spent / repeats / together / side**2))
    return curve


def deposits() -> Curve:
    """Nanoseconds a deposit of a thousand at once, by cells."""
    curve = []
    rng = random.Random(0)
    for side in SIDES:
        field = PheromoneField((side, side), 1, device="cpu")
        places = [[rng.randrange(side), rng.randrange(side)] for _ in range(1000)]
        spent = least_cpu_seconds(lambda f=field, p=places: f.deposit(p, 1.0), 20)
        curve.append((side**2, 1e9 * spent / 1000))
    return curve


def swarms() -> Curve:
    """Nanoseconds an agent and step on 1024² cells, by agents."""
    curve = []
    for n in AGENTS:
        swarm = PhysarumSwarm(n, (1024, 1024), seed=1, device="cpu")
        swarm.step(3)
        spent = least_cpu_seconds(lambda swarm=swarm: swarm.step(4), TRIES)
        curve.append((n, 1e9 * spent / 4 / n))
    return curve


def keys(store: TraceStore, most: int, call: Callable[[TraceStore, int], object]) -> Curve:
    """Nanoseconds a call at random keys, by keys in the store."""
    curve, rng = [], random.Random(0)
    filled = 0
    for size in (size for size in KEYS if size <= most):
        store.deposit_many([(key, "ok", "a") for key in range(filled, size)])
        filled = size
        chosen = [rng.randrange(size) for _ in range(min(CALLS, 4 * size))]
        spent = least_cpu_seconds(lambda c=chosen: [call(store, key) for key in c], 3)
        curve.append((size, 1e9 * spent / len(chosen)))
    return curve


def deposit(store: TraceStore, key: int) -> None:
    """Leave one trace."""
    store.deposit(key, "ok", agent="b")


def sense(store: TraceStore, key: int) -> None:
    """Read one key."""
    store.sense(key, "ok")


def measured() -> dict[str, dict[str, Curve]]:
    """Measure all curves on one thread."""
    with use_threads(1), tempfile.TemporaryDirectory() as folder:
        with TraceStore.open(Path(folder, "traces.sqlite")) as file:
            in_file = {
                "deposit, SQLite": keys(file, 10**5, deposit),
                "sense, SQLite": keys(file, 10**5, sense),
            }
        return {
            "cells": {
                "one step, a cell": field_steps(1),
                "16 steps together, a cell and step": field_steps(16),
                "a deposit": deposits(),
            },
            "agents on 1024² cells": {"a full step, an agent": swarms()},
            "keys": {
                "deposit": keys(TraceStore(), 10**6, deposit),
                "sense": keys(TraceStore(), 10**6, sense),
                **in_file,
            },
        }


def draw(curves: dict[str, dict[str, Curve]], path: Path) -> None:
    """Draw a panel for each quantity that grows."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "swarmloom"
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, len(curves), figsize=(12, 3.6), layout="constrained")
    for panel, (quantity, lines) in zip(panels, curves.items(), strict=True):
        for label, curve in lines.items():
            panel.loglog(*zip(*curve, strict=True), marker="o", markersize=3, label=label)
        panel.set(xlabel=quantity, ylabel="nanoseconds")
        panel.grid(alpha=0.3)
        panel.legend(fontsize=7)
    figure.savefig(path, metadata={"Date": None})


def main(arguments: Iterable[str]) -> None:
    """Measure, print as JSON, and draw where a file is named."""
    curves = measured()
    sys.stdout.write(f"{json.dumps(curves, indent=1)}\n")
    for name in arguments:
        draw(curves, Path(name))


if __name__ == "__main__":
    main(sys.argv[1:])
