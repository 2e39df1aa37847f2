"""Lyapunov exponents and recurrence quantification, beside nolds, AccRQA, pyunicorn and NumPy.

Run with ``pytest tests/benchmarks/test_consensus_chaos.py --benchmark-enable -s``; the sizes of the
documentation need ``SWARMLOOM_FULL_BENCHMARKS=1``. CPU time, least of some runs; AccRQA with one
thread (``OMP_NUM_THREADS=1``).
"""

import importlib
import importlib.util
import os
import resource
import sys
from functools import cache

import numpy as np
import pytest

from swarmloom_protocols.consensus.chaos import known_systems as known
from swarmloom_protocols.consensus.chaos.lyapunov import lyapunov_spectrum
from swarmloom_protocols.consensus.chaos.lyapunov_series import lyapunov_from_series
from swarmloom_protocols.consensus.chaos.recurrence import RecurrenceSettings, recurrence
from swarmloom_protocols.consensus.chaos.systems import trajectory
from tests.benchmarks.measuring import least_cpu_seconds, tell_beside, timed
from tests.naive import lyapunov as naive

FULL = bool(os.environ.get("SWARMLOOM_FULL_BENCHMARKS"))
LENGTHS = [10_000, 100_000] if FULL else [1_000]
# Radii for recurrence rates of about .6 and 4 % of Lorenz's x, three values three steps apart.
RADII = {"sparse": 1.0, "dense": 2.75}
# Lengths to which the peers' memory or time goes.
MOST_PYUNICORN = 10_000
MOST_PYRQA = 10_000


@cache
def lorenz_x(count):
    # AccRQA reads the memory behind an array without its strides.
    return np.ascontiguousarray(trajectory(known.lorenz(), count, dt=0.05, skip=1_000)[:, 0])


@pytest.mark.parametrize("name", ["henon", "lorenz"])
def test_spectrum_beside_numpy(benchmark, name):
    system = {"henon": known.henon(), "lorenz": known.lorenz()}[name]
    steps, few = (1_000_000, 20_000) if FULL else (50_000, 500)
    benchmark.pedantic(lambda: lyapunov_spectrum(system, steps=steps), rounds=3, warmup_rounds=1)
    own = least_cpu_seconds(lambda: lyapunov_spectrum(system, steps=steps))
    plain = {"henon": numpy_henon, "lorenz": None}[name]
    peers = {"NumPy loop by system calls": lambda: naive.spectrum(system, system.start, few)}
    if plain is not None:
        peers["NumPy and QR loop"] = lambda: plain(few)
    seconds = {key: least_cpu_seconds(peer, 2) * steps / few for key, peer in peers.items()}
    tell_beside(benchmark, own, seconds)


def numpy_henon(steps):
    """The loop that one would write with NumPy: the equations inline, a QR a step."""
    x, y, frame, sums = 0.1, 0.1, np.eye(2), np.zeros(2)
    for _ in range(steps):
        frame, lengths = np.linalg.qr(np.array([[-2.8 * x, 1.0], [0.3, 0.0]]) @ frame)
        sums += np.log(abs(np.diag(lengths)))
        x, y = 1.0 - 1.4 * x * x + y, 0.3 * x
    return sums / steps


def nolds_measures():
    """Load the module by its path: nolds 0.6.3 does not import, for the sake of its data sets."""
    spec = importlib.util.find_spec("nolds")
    if spec is None:
        pytest.skip("nolds is not installed")
    pytest.importorskip("future")
    path = os.path.join(spec.submodule_search_locations[0], "measures.py")
    found = importlib.util.spec_from_file_location("nolds_measures", path)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["logistic", "henon", "lorenz"])
def test_exponent_from_a_series(benchmark, name):
    count = 10_000 if FULL else 1_000
    system = {"logistic": known.logistic(), "henon": known.henon(), "lorenz": known.lorenz()}[name]
    dimension = {"logistic": 1, "henon": 2, "lorenz": 3}[name]
    series = trajectory(system, count, dt=0.01, skip=1_000)[:, 0]
    how = {"theiler": 10, "fit": (0, 8)}

    def own_exponent():
        return lyapunov_from_series(series, 8, dimension=dimension, **how)

    benchmark.pedantic(own_exponent, rounds=3, warmup_rounds=1)
    own = least_cpu_seconds(own_exponent)
    peer = nolds_measures()
    options = {"emb_dim": dimension, "lag": 1, "min_tsep": 10, "trajectory_len": 8, "fit": "poly"}
    value, seconds = timed(lambda: peer.lyap_r(series, **options))
    assert own_exponent().exponent == pytest.approx(value, abs=1e-3)
    tell_beside(benchmark, own, {"nolds": seconds})


@pytest.mark.parametrize("radius", RADII)
@pytest.mark.parametrize("count", LENGTHS)
def test_recurrence(benchmark, count, radius):
    series = lorenz_x(count)
    wanted = RecurrenceSettings(RADII[radius], dimension=3, delay=3)
    benchmark.pedantic(lambda: recurrence(series, wanted), rounds=2, warmup_rounds=1)
    own = least_cpu_seconds(lambda: recurrence(series, wanted))
    benchmark.extra_info["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    peers = {"AccRQA": accrqa_measures, "pyunicorn": pyunicorn_measures, "PyRQA": pyrqa_measures}
    seconds = {}
    for name, peer in peers.items():
        # The first call imports.
        peer(series[:200], RADII[radius])
        values, spent = timed(lambda peer=peer: peer(series, RADII[radius]))
        if values is None:
            continue
        seconds[name] = spent
        main = RecurrenceSettings(RADII[radius], dimension=3, delay=3, main_diagonal=True)
        found = recurrence(series, main if name == "AccRQA" else wanted)
        mine = [found.recurrence_rate, found.determinism, found.mean_diagonal]
        mine += [found.diagonal_entropy, found.laminarity, found.trapping_time]
        benchmark.extra_info[f"largest difference from {name}"] = max(
            abs(a - b) for a, b in zip(mine, values, strict=True)
        )
        sys.stdout.write(f"{name}: {np.array(values)}\nours: {np.array(mine)}\n")
    tell_beside(benchmark, own, seconds)


def missing(package):
    return importlib.util.find_spec(package) is None


def accrqa_measures(series, radius):
    if missing("accrqa"):
        return None
    accrqa = importlib.import_module("accrqa")
    norm = accrqa.accrqaDistance("maximal")
    platform = accrqa.accrqaCompPlatform("cpu")
    lines = accrqa.DET(series, 3, 3, 2, radius, norm, True, platform, False)
    columns = accrqa.LAM(series, 3, 3, 2, radius, norm, True, platform, False)
    lines, columns = np.ravel(lines), np.ravel(columns)
    return [lines[4], lines[0], lines[1], lines[3], columns[0], columns[1]]


def pyunicorn_measures(series, radius):
    if len(series) > MOST_PYUNICORN or missing("pyunicorn"):
        return None
    timeseries = importlib.import_module("pyunicorn.timeseries")
    plot = timeseries.RecurrencePlot(
        series, metric="supremum", threshold=radius, dim=3, tau=3, silence_level=3
    )
    return [
        plot.recurrence_rate(),
        plot.determinism(l_min=2),
        plot.average_diaglength(l_min=2),
        plot.diag_entropy(l_min=2),
        plot.laminarity(v_min=2),
        plot.average_vertlength(v_min=2),
    ]


@cache
def opencl_platforms():
    if missing("pyrqa") or missing("pyopencl"):
        return 0
    pyopencl = importlib.import_module("pyopencl")
    try:
        return len(pyopencl.get_platforms())
    except pyopencl.LogicError:
        return 0


def pyrqa_measures(series, radius):
    if len(series) > MOST_PYRQA:
        return None
    if not opencl_platforms():
        return None
    from pyrqa.computation import RQAComputation
    from pyrqa.metric import MaximumMetric
    from pyrqa.neighbourhood import FixedRadius
    from pyrqa.settings import Settings
    from pyrqa.time_series import TimeSeries

    settings = Settings(
        TimeSeries(list(series), embedding_dimension=3, time_delay=3),
        neighbourhood=FixedRadius(radius),
        similarity_measure=MaximumMetric,
        theiler_corrector=0,
    )
    found = RQAComputation.create(settings).run()
    return [
        found.recurrence_rate,
        found.determinism,
        found.average_diagonal_line,
        found.entropy_diagonal_lines,
        found.laminarity,
        found.trapping_time,
    ]
