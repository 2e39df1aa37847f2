"""How a traffic split converges, recovers from failures and grows with nodes, as a picture.

    python -m tests.benchmarks.traffic_figures shared/data docs/images/bio-routing-traffic.svg

The first argument is the folder of the public instances. Milliseconds are CPU time of one thread,
the least of two tries.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from swarmloom.device import use_threads
from swarmloom_protocols.bio_routing.networks.traffic import split_traffic
from tests.benchmarks.measuring import timed
from tests.benchmarks.traffic_cases import (
    SMALL,
    generated_case,
    links_that_may_fail,
    padded,
    recoveries,
    shared_case,
)

# Of the linear program, from the benchmark.
OPTIMA = {"Abilene": 0.9, "AttMpls": 0.9, "Geant2012": 0.9, "Cogentco": 0.8984753}
ROUNDS = 40
NODES = (25, 50, 100, 200, 400)
# Nodes up to which the linear program is solved too.
PROGRAM = 100

Curve = list[tuple[float, float]]


def convergence(folder: Path) -> dict[str, Curve]:
    """Utilisation over the optimum, less 1, by rounds."""
    curves = {}
    for name, optimum in OPTIMA.items():
        split = split_traffic(*shared_case(folder, name), rounds=ROUNDS, tolerance=0.0)
        gaps = padded(split.trace.max_utilisation, ROUNDS)[1:] / optimum - 1.0
        curves[name] = by_round(gaps, 1)
    return curves


def recovery(folder: Path) -> dict[str, Curve]:
    """Utilisation over the new optimum, less 1, by rounds since the failure of a link."""
    curves = {}
    for name in SMALL:
        case = shared_case(folder, name)
        ratios = np.array([ratio for ratio, _ in recoveries(case, links_that_may_fail(case[0]))])
        gaps = ratios[:, : ROUNDS + 1] - 1.0
        curves[f"{name}, median"] = by_round(np.median(gaps, axis=0), 0)
        curves[f"{name}, worst"] = by_round(gaps.max(axis=0), 0)
    return curves


def by_round(gaps: Any, first: int) -> Curve:
    """Pair gaps with rounds; below a hundredth of a percent all are alike."""
    return [(float(first + place), max(float(gap), 1e-4)) for place, gap in enumerate(gaps)]


def growth() -> dict[str, Curve]:
    """Milliseconds by nodes, every pair with a demand."""
    curves: dict[str, Curve] = {"to the proof of 1 %": [], "20 rounds": [], "linear program": []}
    for n in NODES:
        case = generated_case("ring with chords", n, 0)
        proven = timed(lambda case=case: split_traffic(*case), 2)[1]
        some = timed(lambda case=case: split_traffic(*case, rounds=20, tolerance=0.0), 2)[1]
        curves["to the proof of 1 %"].append((n, 1e3 * proven))
        curves["20 rounds"].append((n, 1e3 * some))
        if n <= PROGRAM:
            spent = timed(lambda case=case: split_traffic(*case, method="lp"))[1]
            curves["linear program"].append((n, 1e3 * spent))
    return curves


def draw(panels: list[tuple[str, str, dict[str, Curve]]], path: Path) -> None:
    """Draw a panel for each of the three."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "swarmloom"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(panels), figsize=(12, 3.6), layout="constrained")
    for axis, (across, upward, lines) in zip(axes, panels, strict=True):
        for place, (label, curve) in enumerate(lines.items()):
            style, colour = "-", f"C{place}"
            if across.startswith("round since"):
                style, colour = ("--" if label.endswith("worst") else "-"), f"C{place // 2}"
            axis.plot(*zip(*curve, strict=True), f"{style}o", color=colour, ms=2, label=label)
        axis.set(xlabel=across, ylabel=upward, yscale="log")
        if across == "nodes":
            axis.set_xscale("log")
            axis.set_xticks(NODES, map(str, NODES), minor=False)
            axis.set_xticks([], minor=True)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7)
    figure.savefig(path, metadata={"Date": None})


def main(folder: str, *pictures: str) -> None:
    """Measure, print as JSON, and draw where a file is named."""
    with use_threads(1):
        panels = [
            ("round", "above the optimum", convergence(Path(folder))),
            ("round since a link failed", "above the new optimum", recovery(Path(folder))),
            ("nodes", "CPU milliseconds", growth()),
        ]
    sys.stdout.write(f"{json.dumps(panels, indent=1)}\n")
    for name in pictures:
        draw(panels, Path(name))


if __name__ == "__main__":
    main(*sys.argv[1:])
