"""How choosing experts grows with their number: time a decision, and goodput, as a picture.

    python -m tests.benchmarks.bio_routing_choice_growth docs/images/bio-routing-choice.svg

Microseconds are CPU time, the least of several tries; goodput is that of stationary crews with two
slots an expert, at a load of 0.85, with a hundred tasks for each expert.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from swarmloom_protocols.bio_routing.choice.crews import Crew
from swarmloom_protocols.bio_routing.choice.policies import Chooser
from swarmloom_protocols.bio_routing.choice.simulation import oracle, play
from tests.benchmarks.measuring import least_cpu_seconds

SIZES = (10, 30, 100, 300, 1_000, 3_000, 10_000)
TIMED = {
    "auto": "index",
    "ucb": "UCB",
    "linucb": "LinUCB",
    "thompson": "Thompson",
    "power_of_two": "power of two",
}
CREWS = (8, 20, 50, 100, 200, 400)
TASKS_EACH = 100
COMPARED = {
    "auto": "index",
    "ucb": "UCB less load",
    "trail": "averaged trail",
    "shortest_queue": "shortest queue",
    "power_of_two": "power of two",
    "random": "random",
}
SEEDS = 3

Curve = list[tuple[float, float]]


def microseconds(policy: str) -> Curve:
    """CPU time of a decision and its outcome, by experts."""
    curve = []
    for experts in SIZES:
        chooser = Chooser(experts, 2, 5, policy=policy)
        count = max(10, 200_000 // experts // (20 if policy == "thompson" else 1))
        count = min(count, 2_000)

        def decide(chooser: Chooser = chooser, count: int = count) -> None:
            for number in range(count):
                chooser.done(chooser.pick(number % 5), number % 3 > 0, 1.0)

        decide()
        curve.append((experts, 1e6 * least_cpu_seconds(decide, 5) / count))
    return curve


def goodputs() -> dict[str, Curve]:
    """Goodput over the oracle's, by experts, a curve each policy."""
    curves: dict[str, Curve] = {label: [] for label in COMPARED.values()}
    for experts in CREWS:
        crew = Crew(experts, 2, tasks=TASKS_EACH * experts)
        worlds = [crew.draw(np.random.default_rng(seed)) for seed in range(SEEDS)]
        best = sum(oracle(world).goodput() for world in worlds)
        for policy, label in COMPARED.items():
            found = sum(play(world, policy).goodput() for world in worlds)
            curves[label].append((experts, found / best))
    return curves


def draw(times: dict[str, Curve], shares: dict[str, Curve], path: Path) -> None:
    """Draw time and goodput side by side."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "swarmloom"
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    for label, curve in times.items():
        left.loglog(*zip(*curve, strict=True), marker="o", markersize=3, label=label)
    for label, curve in shares.items():
        right.semilogx(*zip(*curve, strict=True), marker="o", markersize=3, label=label)
    left.set(xlabel="experts", ylabel="µs a decision and its outcome")
    right.set(xlabel="experts", ylabel="goodput / oracle's", ylim=(0.0, 1.0))
    for panel in (left, right):
        panel.grid(alpha=0.3)
        panel.legend(fontsize=7)
    figure.savefig(path, metadata={"Date": None})


def main(arguments: Iterable[str]) -> None:
    """Measure, print as JSON, and draw where a file is named."""
    times = {label: microseconds(policy) for policy, label in TIMED.items()}
    shares = goodputs()
    sys.stdout.write(f"{json.dumps({'time': times, 'goodput': shares}, indent=1)}\n")
    for name in arguments:
        draw(times, shares, Path(name))


if __name__ == "__main__":
    main(sys.argv[1:])
