"""Figures of the pages on chaos and dynamics that are no times.

python -m tests.benchmarks.chaos_figures exponents
python -m tests.benchmarks.chaos_figures collapse
python -m tests.benchmarks.chaos_figures memory
python -m tests.benchmarks.chaos_figures schedules
python -m tests.benchmarks.chaos_figures warnings
"""

from __future__ import annotations

import sys

import numpy as np
import numpy.typing as npt

from swarmloom_protocols.consensus.chaos import known_systems as known
from swarmloom_protocols.consensus.chaos.control import hold_at_edge
from swarmloom_protocols.consensus.chaos.exploration import compare_schedules
from swarmloom_protocols.consensus.chaos.lyapunov import LyapunovSpectrum, lyapunov_spectrum
from swarmloom_protocols.consensus.chaos.reservoir import memory_capacity, network, weights
from swarmloom_protocols.consensus.dynamics.early_warning import early_warning

FloatArray = npt.NDArray[np.float64]

RADII = (0.5, 0.8, 0.9, 0.95, 1.0, 1.1, 1.5, 2.0)
# The double well loses its left well at a tilt of 2/(3√3) = 0.385.
NEAR_THE_FOLD = 0.37


def say(line: str) -> None:
    """Print a line at once, for some of the figures take minutes."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def exponents() -> None:
    """Lyapunov exponents of known systems, and of four orbits of Lorenz's."""
    lorenz = known.lorenz()
    runs = {
        "logistic": lyapunov_spectrum(known.logistic(4.0), steps=1_000_000),
        "Hénon": lyapunov_spectrum(known.henon(), steps=1_000_000),
        "Lorenz": lyapunov_spectrum(lorenz, steps=1_500_000, transient=5_000),
        "coupled": lyapunov_spectrum(
            known.coupled_logistic_maps(8, coupling=0.3), np.full(8, 0.3), 100_000
        ),
    }
    for name, found in runs.items():
        say(f"{name}: {told(found)}")
    starts = np.random.default_rng(0).uniform([-10, -10, 15], [10, 10, 35], (4, 3))
    largest = [lyapunov_spectrum(lorenz, start, 2_000_000, count=1) for start in starts]
    ones = np.array([found.exponents[0] for found in largest])
    say(f"Lorenz, four orbits: {ones.mean():.4f} ± {ones.std(ddof=1) / 2:.4f}")


def told(found: LyapunovSpectrum) -> str:
    """Say exponents, their errors and their sum."""
    return f"{found.exponents} ± {found.standard_errors}, sum {found.exponents.sum():.7f}"


def collapse() -> None:
    """Steps until the logistic map at r = 4 is 0, for that is where its orbit in floats ends."""
    x, steps = 0.8, 0
    while x > 0.0:
        x, steps = 4.0 * x * (1.0 - x), steps + 1
    say(f"logistic map, r = 4, from 0.8: 0 after {steps:,} steps")


def memory() -> None:
    """Memory of five driven networks by gain, and with the gain held at the border of chaos."""
    rows = np.array([remembered(seed) for seed in range(5)])
    for name, value in zip(HEADINGS, rows.mean(axis=0), strict=True):
        say(f"{name}: {value:.3f}")


HEADINGS = (
    *(f"capacity at gain × radius {radius}" for radius in RADII),
    "capacity held from 0.5",
    "capacity held from 2",
    "gain × radius held from 0.5",
    "gain × radius held from 2",
)


def remembered(seed: int) -> list[float]:
    """Return the capacities of one network, and where its gain came to rest."""
    matrix = weights(60, rng=np.random.default_rng(seed))
    radius = float(abs(np.linalg.eigvals(matrix)).max())
    held = [
        hold_at_edge(network(matrix, begin), "gain", low=0.1, high=3.0, windows=600, gain=0.2).value
        for begin in (0.5, 2.0)
    ]
    gains = [*(one / radius for one in RADII), *held]
    found = [memory_capacity(matrix, gain, rng=np.random.default_rng(seed)) for gain in gains]
    return [*found, *(gain * radius for gain in held)]


def schedules() -> None:
    """Cells that 1,024 trials in the unit square reach."""
    for name, found in compare_schedules(1024, 2, 32, rng=np.random.default_rng(0)).items():
        cells = f"{found.mean:.3f} ± {found.deviation:.3f}"
        say(f"{name}: cells tried {cells}, discrepancy {found.discrepancy:.1e}")


def warnings() -> None:
    """How often early warnings are given before a fold, and where nothing is to come."""
    kinds = {
        "towards a fold": tilted(100, NEAR_THE_FOLD, np.random.default_rng(1)),
        "a well at rest": tilted(1000, 0.0, np.random.default_rng(2)),
        **{
            f"AR(1), {memory}": remembering(1000, memory, np.random.default_rng(3))
            for memory in (0.0, 0.5, 0.9)
        },
    }
    for name, records in kinds.items():
        rng = np.random.default_rng(4)
        values = np.array([early_warning(one, rng=rng, draws=99).p_value for one in records])
        say(f"{name}: p ≤ 0.05 in {np.mean(values <= 0.05):.1%} of {len(records)} records")


def tilted(count: int, most: float, rng: np.random.Generator) -> FloatArray:
    """Return records of a double well that is tilted more and more, shape (count, 400)."""
    x, rows = np.full(count, -1.0), []
    for step in range(-500, 4000):
        tilt = most * max(step, 0) / 4000
        x = x + 0.05 * (x - x**3 + tilt) + 0.03 * np.sqrt(0.05) * rng.standard_normal(count)
        if step >= 0 and step % 10 == 0:
            rows.append(x)
    return np.array(rows).T


def remembering(count: int, memory: float, rng: np.random.Generator) -> FloatArray:
    """Return records of a stationary AR(1) process, shape (count, 400)."""
    x = rng.standard_normal(count) / np.sqrt(1.0 - memory**2)
    rows = []
    for _ in range(400):
        x = memory * x + rng.standard_normal(count)
        rows.append(x)
    return np.array(rows).T


FIGURES = {
    "exponents": exponents,
    "collapse": collapse,
    "memory": memory,
    "schedules": schedules,
    "warnings": warnings,
}

if __name__ == "__main__":
    FIGURES[sys.argv[1]]()
