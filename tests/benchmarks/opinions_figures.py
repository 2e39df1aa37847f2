"""How opinions move in four models, and how the cost of a step grows, as two pictures.

    python -m tests.benchmarks.opinions_figures models docs/images/opinion-models.png
    python -m tests.benchmarks.opinions_figures growth docs/images/opinion-growth.svg

Costs are nanoseconds of one thread's CPU time, the least of several tries.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np

from swarmloom.device import use_threads
from swarmloom_protocols.consensus.opinions.arguments import trust_matrix
from swarmloom_protocols.consensus.opinions.landscape import OpinionLandscape
from swarmloom_protocols.consensus.opinions.models import (
    Deffuant,
    FriedkinJohnsen,
    HegselmannKrause,
    Kuramoto,
    Model,
)
from swarmloom_protocols.consensus.opinions.phases import order_parameter
from tests.benchmarks.measuring import least_cpu_seconds

Curve = list[tuple[float, float]]

TRIES = 3
NEIGHBOURS = 10


def pyplot(backend: str) -> Any:
    """Import Matplotlib, which then draws the same bytes from the same numbers."""
    import matplotlib as mpl

    mpl.use(backend)
    mpl.rcParams["svg.hashsalt"] = "swarmloom"
    from matplotlib import pyplot as plt

    return plt


def path_of(model: Model, radius: float, steps: int) -> np.ndarray:
    """Return the opinions of 150 experts over time, shape (steps + 1, 150)."""
    rng = np.random.default_rng(3)
    crew = OpinionLandscape(np.sort(rng.random(150)), influence_radius=radius, rng=rng)
    run = crew.run(model, steps, tolerance=None, record_every=1, most_records=steps + 1)
    assert run.trajectory is not None
    return run.trajectory.values[..., 0]


def locking(couplings: np.ndarray) -> list[float]:
    """Return Kuramoto's order parameter after a while, frequencies Lorentz of half width ½."""
    n, rng = 4000, np.random.default_rng(1)
    frequencies = 0.5 * np.tan(np.pi * ((np.arange(n) + 0.5) / n - 0.5))
    found = []
    for coupling in couplings:
        crew = OpinionLandscape(rng.uniform(0.0, 2.0 * np.pi, n))
        model = Kuramoto(frequencies, coupling)
        run = crew.run(model, 1600, tolerance=None, record_every=20)
        assert run.trajectory is not None
        late = [order_parameter(values[:, 0]) for values in run.trajectory.values[-30:]]
        found.append(float(np.mean(late)))
    return found


def draw_models(path: Path) -> None:
    """Draw the paths of three models and the locking of the fourth."""
    plt = pyplot("agg")
    graph = trust_matrix(nx.connected_watts_strogatz_graph(150, 6, 0.1, seed=1))
    panels = {
        "Hegselmann–Krause, radius 0.15": path_of(HegselmannKrause(), 0.15, 12),
        "Deffuant, radius 0.15": path_of(Deffuant(), 0.15, 60),
        "Friedkin–Johnsen, susceptibility 0.9": path_of(FriedkinJohnsen(0.9, graph), 0.2, 20),
    }
    figure, axes = plt.subplots(1, 4, figsize=(13, 3.0), layout="constrained")
    for panel, (title, values) in zip(axes, panels.items(), strict=False):
        panel.plot(values, color="#1f6f8b", alpha=0.35, linewidth=0.6)
        panel.set(title=title, xlabel="step", ylabel="opinion")
    couplings = np.linspace(0.25, 4.0, 16)
    known = np.sqrt(np.maximum(0.0, 1.0 - 1.0 / np.linspace(0.25, 4.0, 400)))
    axes[3].plot(np.linspace(0.25, 4.0, 400), known, color="#999999", label="√(1 − K_c/K)")
    axes[3].plot(couplings, locking(couplings), "o", markersize=3, label="simulated")
    axes[3].set(title="Kuramoto, n = 4000", xlabel="coupling K", ylabel="order parameter r")
    axes[3].legend(fontsize=7)
    for panel in axes:
        panel.title.set_fontsize(9)
    figure.savefig(path, dpi=80, metadata={"Software": None})


def steps_of(model: Callable[[int], Model], sizes: tuple[int, ...], dimensions: int = 1) -> Curve:
    """Return nanoseconds an expert and step, by experts."""
    curve = []
    for n in sizes:
        rng = np.random.default_rng(0)
        values, chosen, repeats = rng.random((n, dimensions)), model(n), max(1, 10**5 // n)

        def run(steps: int, given=values, model=chosen, rng=rng, repeats=repeats) -> None:
            for _ in range(repeats):
                OpinionLandscape(given, rng=rng).run(model, steps, tolerance=None)

        # Eight more of the first steps (later on all stand in a few places), so that what is done
        # once, such as sorting, is left out.
        one, nine = (least_cpu_seconds(partial(run, steps), TRIES) for steps in (1, 9))
        curve.append((n, 1e9 * max(nine - one, 1e-9) / 8 / repeats / n))
    return curve


def ring(n: int) -> Any:
    """Return a graph in which everybody hears ten others at random."""
    from scipy import sparse

    rng = np.random.default_rng(1)
    chosen = rng.integers(1, n, (n, NEIGHBOURS)) + np.arange(n)[:, np.newaxis]
    rows = np.repeat(np.arange(n), NEIGHBOURS)
    return sparse.csr_array((np.ones(rows.size), (rows, chosen.ravel() % n)), shape=(n, n))


def measured() -> dict[str, Curve]:
    """Measure all curves on one thread."""
    sizes = (10**3, 10**4, 10**5, 10**6)
    with use_threads(1):
        return {
            "Hegselmann–Krause, a line": steps_of(lambda n: HegselmannKrause(), sizes),
            "Hegselmann–Krause, a plane": steps_of(lambda n: HegselmannKrause(), sizes[:3], 2),
            "Hegselmann–Krause, space": steps_of(lambda n: HegselmannKrause(), sizes[:3], 3),
            "Hegselmann–Krause, ten neighbours": steps_of(
                lambda n: HegselmannKrause(ring(n)), sizes[:3]
            ),
            "Deffuant, ten neighbours": steps_of(lambda n: Deffuant(ring(n)), sizes[:3]),
            "Friedkin–Johnsen, ten neighbours": steps_of(
                lambda n: FriedkinJohnsen(0.9, trust_matrix(ring(n))), sizes[:3]
            ),
            "Kuramoto, mean field": steps_of(
                lambda n: Kuramoto(np.linspace(-1.0, 1.0, n), 2.0), sizes
            ),
        }


def draw_growth(path: Path) -> None:
    """Measure, print as JSON, and draw."""
    curves = measured()
    sys.stdout.write(f"{json.dumps(curves, indent=1)}\n")
    plt = pyplot("svg")
    figure, panel = plt.subplots(figsize=(7, 3.8), layout="constrained")
    for label, curve in curves.items():
        panel.loglog(*zip(*curve, strict=True), marker="o", markersize=3, label=label)
    panel.set(xlabel="experts n", ylabel="nanoseconds an expert and step")
    panel.grid(alpha=0.3)
    panel.legend(fontsize=7)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    {"models": draw_models, "growth": draw_growth}[sys.argv[1]](Path(sys.argv[2]))
