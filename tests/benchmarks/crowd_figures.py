"""Figures of the page on crowds that are neither of recorded votes nor times.

python -m tests.benchmarks.crowd_figures keys
python -m tests.benchmarks.crowd_figures rare
python -m tests.benchmarks.crowd_figures liars
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from swarmloom_protocols.consensus import robust_means as robust
from swarmloom_protocols.consensus.crowd.crowd import Method, crowd

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Columns = tuple[IntArray, IntArray, IntArray]
Estimate = Callable[[FloatArray, int], FloatArray]

ITEMS, WORKERS, VOTES, DRAWS = 300, 50, 5, 10
# Labels, share of workers who press one key, and whose key it is.
PRESSED = [
    (2, 0.3, "0"),
    (2, 0.5, "0"),
    (2, 0.5, "own"),
    (4, 0.3, "0"),
    (4, 0.5, "0"),
    (4, 0.5, "own"),
]
# What `auto` is the mean of where it leaves nothing out.
AVERAGED: tuple[Method, ...] = ("ebcc", "hierarchical", "one_coin", "majority")
SHOWN: tuple[Method, ...] = ("auto", "dawid_skene", *AVERAGED)
PLACES = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 20.0)
ESTIMATES: dict[str, Estimate] = {
    "mean": lambda points, _: points.mean(0),
    "coordinate_median": lambda points, _: robust.coordinate_median(points),
    "geometric_median": lambda points, _: robust.geometric_median(points),
    "trimmed_mean": robust.trimmed_mean,
    "krum": robust.krum,
    "multi_krum": robust.multi_krum,
    "cluster_mean": lambda points, _: robust.cluster_mean(points),
}


def say(line: str) -> None:
    """Print a line at once, for some of the figures take minutes."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def votes_on(truth: IntArray, n_labels: int, rng: np.random.Generator) -> Columns:
    """Return five votes an item of workers who are right with 0.55 to 0.95."""
    items = np.repeat(np.arange(ITEMS), VOTES)
    chosen = [rng.choice(WORKERS, VOTES, replace=False) for _ in range(ITEMS)]
    who = np.concatenate(chosen)
    right = rng.random(items.size) < rng.uniform(0.55, 0.95, WORKERS)[who]
    off = np.where(right, 0, rng.integers(1, n_labels, items.size))
    return items, who, (truth[items] + off) % n_labels


def keys() -> None:
    """Workers who give one label whatever the item."""
    for n_labels, share, whose in PRESSED:
        rows = []
        for seed in range(DRAWS):
            rng = np.random.default_rng(seed)
            truth = rng.integers(0, n_labels, ITEMS)
            items, who, labels = votes_on(truth, n_labels, rng)
            own = rng.integers(0, n_labels, WORKERS) if whose == "own" else np.zeros(WORKERS, int)
            labels = np.where(who < share * WORKERS, own[who], labels)
            rows.append(percents((items, who, labels), truth, n_labels))
        say(f"{n_labels} labels, {share:.0%} press {whose}: {means(rows)}")


def rare() -> None:
    """Truths that are rare indeed."""
    for first in (0.95, 0.98):
        rows = []
        for seed in range(DRAWS):
            rng = np.random.default_rng(seed)
            truth = (rng.random(ITEMS) >= first).astype(np.int64)
            rows.append(percents(votes_on(truth, 2, rng), truth, 2))
        say(f"truths {first:.0%}: {means(rows)}")


def percents(columns: Columns, truth: IntArray, n_labels: int) -> dict[str, float]:
    """Return the share right of some methods, in percent."""
    found = {method: crowd(*columns, n_labels=n_labels, method=method) for method in SHOWN}
    shown = {name: found[name].share_right(truth) for name in ("majority", "auto", "dawid_skene")}
    average = np.mean([found[method].posterior for method in AVERAGED], axis=0)
    shown["mean of all four"] = float((average.argmax(axis=1) == truth).mean())
    return {name: 100.0 * share for name, share in shown.items()}


def means(rows: list[dict[str, float]]) -> str:
    """Say the mean of each column."""
    return ", ".join(f"{name} {np.mean([row[name] for row in rows]):.1f}" for name in rows[0])


def liars() -> None:
    """Errors of robust means in standard deviations, at the liars' best common place."""
    for dimensions in (1, 64):
        for faulty in (10, 20, 22):
            told = (
                f"{name} {max(error(estimate, place, dimensions, faulty) for place in PLACES):.2f}"
                for name, estimate in ESTIMATES.items()
            )
            say(f"{dimensions} dimensions, {faulty} liars: {', '.join(told)}")


def error(estimate: Estimate, place: float, dimensions: int, faulty: int) -> float:
    """Return the mean error over 20 draws of fifty agents, liars all at one place."""
    errors = []
    for seed in range(20):
        points = np.random.default_rng(seed).normal(size=(50, dimensions))
        points[:faulty] = place
        errors.append(math.sqrt(np.mean(estimate(points, faulty) ** 2)))
    return float(np.mean(errors))


FIGURES = {"keys": keys, "rare": rare, "liars": liars}

if __name__ == "__main__":
    FIGURES[sys.argv[1]]()
