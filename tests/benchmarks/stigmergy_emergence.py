"""What swarms that follow their trails come to: the figures of the guides, counted anew.

    python tests/benchmarks/stigmergy_emergence.py [physarum] [ring] [bridge]

Prints shares with their 95 % score intervals (Wilson 1927). Takes some ten
seconds on one core.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.stats import binomtest

from swarmloom_protocols.stigmergy.colonies.double_bridge import double_bridge
from swarmloom_protocols.stigmergy.physarum.swarm import PhysarumSwarm

EIGHT_NEIGHBOURS = np.ones((3, 3))
FOOD = (40, 20), (40, 60)
RUNS = 2000

Cells = list[tuple[int, int]]


def contrast(seed: int, sensor_distance: float) -> float:
    """Return the standard deviation of the trail over its mean, after 150 steps."""
    swarm = PhysarumSwarm(3000, (96, 96), sensor_distance=sensor_distance, seed=seed)
    swarm.step(150)
    return float(swarm.trail.std() / swarm.trail.mean())


def source(y: int, x: int, amount: float = 15.0) -> list[tuple[float, float, float]]:
    """Return the food of a disc of radius 2."""
    cells = [(i, j) for i in range(-2, 3) for j in range(-2, 3) if i * i + j * j <= 4]
    return [(y + i, x + j, amount) for i, j in cells]


def food_is_connected(seed: int, sensor_distance: float) -> bool:
    """Tell whether a piece of more than the mean trail touches both sources, 40 cells apart."""
    swarm = PhysarumSwarm(
        500,
        (80, 80),
        sensor_angle=math.radians(67.5),
        sensor_distance=sensor_distance,
        food=source(*FOOD[0]) + source(*FOOD[1]),
        boundaries="reflecting",
        seed=seed,
    )
    swarm.step(500)
    pieces, _ = ndimage.label(swarm.trail > swarm.trail.mean(), EIGHT_NEIGHBOURS)
    near = [set(pieces[y - 4 : y + 5, x - 4 : x + 5].flat) - {0} for y, x in FOOD]
    return bool(near[0] & near[1])


def arms() -> tuple[Cells, Cells]:
    """Return the middle lines of a ring's arms, 80 and 160 cells from (20, 20) to (40, 80)."""
    short = [(20, x) for x in range(20, 80)] + [(y, 80) for y in range(20, 40)]
    long = [(y, 20) for y in range(20, 80)] + [(80, x) for x in range(20, 80)]
    return short, long + [(y, 80) for y in range(80, 40, -1)]


def corridor(lines: Iterable[tuple[int, int]]) -> NDArray[np.bool_]:
    """Return walls of 101 × 101 cells that leave three cells to both sides of lines open."""
    walls = np.ones((101, 101), bool)
    for y, x in lines:
        walls[y - 3 : y + 4, x - 3 : x + 4] = False
    return walls


def short_arm_is_stronger(seed: int) -> bool:
    """Tell whether the shorter arm of a ring has more trail a cell, after 1000 steps."""
    short, long = arms()
    swarm = PhysarumSwarm(
        1500,
        (101, 101),
        food=source(20, 20) + source(40, 80),
        walls=corridor(short + long),
        seed=seed,
    )
    swarm.step(1000)
    # Without the neighbourhoods of the sources.
    means = [np.mean([swarm.trail[cell] for cell in arm[15:-15]]) for arm in (short, long)]
    return bool(means[0] > means[1])


def say(text: str, wins: int, trials: int) -> None:
    """Print a share with its interval."""
    low, high = binomtest(wins, trials).proportion_ci(0.95, method="wilson")
    sys.stdout.write(f"{text}: {wins} of {trials} ({low:.1%} to {high:.1%})\n")


def physarum() -> None:
    """Count what agents that sense do beside agents that cannot."""
    for name, distances in (("sensing", (9.0, 15.0)), ("blind", (0.0, 0.0))):
        found = [contrast(seed, distances[0]) for seed in range(10)]
        sys.stdout.write(f"{name}: contrast {min(found):.2f} to {max(found):.2f}\n")
        wins = sum(food_is_connected(seed, distances[1]) for seed in range(100))
        say(f"{name}: food connected", wins, 100)


def ring() -> None:
    """Count on a ring which arm is the stronger."""
    say("ring: the shorter arm is stronger", sum(map(short_arm_is_stronger, range(40))), 40)


def bridge() -> None:
    """Count which branch of the double bridge colonies choose."""
    for ratio, mark in ((1.0, 0.0), (1.25, 0.0), (1.5, 0.0), (2.0, 0.0), (2.0, 1.0)):
        rng = np.random.default_rng(0)
        shares = double_bridge(RUNS, rng, ratio=ratio, departure_mark=mark).first_share()
        decided = np.median(np.maximum(shares, 1.0 - shares))
        text = f"bridge: ratio {ratio}, departure mark {mark}, {decided:.1%} on one branch: short"
        say(text, int((shares > 0.5).sum()), RUNS)


PARTS: dict[str, Callable[[], None]] = {"physarum": physarum, "ring": ring, "bridge": bridge}


def main(names: list[str]) -> None:
    """Run the parts that are named, or all."""
    for name in names or PARTS:
        PARTS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
