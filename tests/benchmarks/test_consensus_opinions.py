"""Steps of the models of opinions, each beside what one would use without them.

Run with ``pytest tests/benchmarks/test_consensus_opinions.py --benchmark-enable -s``, and with
``SWARMLOOM_FULL_BENCHMARKS=1`` for sizes that outweigh the overheads. CPU time of one thread, the
least of several tries.

NDlib 6.0.1's ``HKModel`` looks at n random agents in an iteration and then changes the last of
them, because its assignment stands behind the loop. Its row divides that time by n, as if all had
been changed; "NDlib's rule, mended" is a plain loop over dictionaries that does change all.
"""

import os
import time

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial import cKDTree

from swarmloom.device import use_threads
from swarmloom_protocols.consensus.opinions.bounded_confidence import (
    LineMeans,
    bounded_means,
    means_within,
)
from swarmloom_protocols.consensus.opinions.clusters import opinion_clusters
from swarmloom_protocols.consensus.opinions.landscape import OpinionLandscape
from swarmloom_protocols.consensus.opinions.models import (
    Deffuant,
    DeGroot,
    FriedkinJohnsen,
    HegselmannKrause,
    Kuramoto,
)
from tests.benchmarks.measuring import least_cpu_seconds, tell_beside

FULL = bool(os.environ.get("SWARMLOOM_FULL_BENCHMARKS"))
TRIES = 7 if FULL else 2
RADIUS = 0.2
LINE = 100_000 if FULL else 2_000
CELLS = 100_000 if FULL else 1_000
NODES = [1_000, 10_000, 100_000] if FULL else [200]
# NDlib's own loops take seconds above.
NDLIB_HK_NODES = 10_000
STEPS = 50


def least_seconds(function, tries=TRIES):
    return least_cpu_seconds(function, tries, time.thread_time)


def measure(benchmark, own, tries=TRIES):
    benchmark.pedantic(own, rounds=1, warmup_rounds=1)
    return least_seconds(own, tries)


# -- everybody hears everybody ------------------------------------------------------------------


def sorted_means(line, radius):
    """NumPy: sort, running sums, two searches."""
    ordered = np.sort(line)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    low = np.searchsorted(ordered, ordered - radius, "left")
    high = np.searchsorted(ordered, ordered + radius, "right")
    return (sums[high] - sums[low]) / (high - low)


def pair_means(values, radius):
    """SciPy: all pairs of a k-d tree, summed by NumPy; their memory is that of the pairs."""
    pairs = cKDTree(values).query_pairs(radius, output_type="ndarray")
    sums, counts = values.copy(), np.ones(len(values))
    for one, other in ((pairs[:, 0], pairs[:, 1]), (pairs[:, 1], pairs[:, 0])):
        counts += np.bincount(one, minlength=len(values))
        for axis in range(values.shape[1]):
            sums[:, axis] += np.bincount(one, values[other, axis], len(values))
    return sums / counts[:, np.newaxis]


def product_means(values, radius):
    """NumPy: distances by a matrix product, the mean by another, a block at a time."""
    norms, means = (values**2).sum(axis=1), np.empty_like(values)
    for first in range(0, len(values), 1000):
        block = values[first : first + 1000]
        squares = norms[first : first + 1000, np.newaxis] + norms - 2.0 * block @ values.T
        heard = (squares <= radius * radius).astype(float)
        means[first : first + 1000] = heard @ values / heard.sum(axis=1, keepdims=True)
    return means


@pytest.mark.benchmark(group="bounded confidence on a line")
def test_line(benchmark):
    rng = np.random.default_rng(0)
    values = rng.random((LINE, 1))
    means = LineMeans(np.full(LINE, RADIUS), np.ones(LINE))
    crew = OpinionLandscape(values, influence_radius=RADIUS)
    with use_threads(1):
        own = measure(benchmark, lambda: means(values), 4 * TRIES)
        run = least_seconds(lambda: crew.run(HegselmannKrause(), STEPS, tolerance=None)) / STEPS
        peers = {
            "NumPy sort and searchsorted": least_seconds(
                lambda: sorted_means(values[:, 0], RADIUS)
            ),
            "the same with sorting every time": least_seconds(
                lambda: bounded_means(values, RADIUS)
            ),
            "a step of a landscape's run": run,
        }
    tell_beside(benchmark, own, peers, f"means on a line, n = {LINE}")


@pytest.mark.benchmark(group="bounded confidence in cells and tiles")
@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("radius", [0.02, RADIUS])
def test_cells(benchmark, dimensions, radius):
    rng = np.random.default_rng(0)
    values = rng.random((CELLS, dimensions))
    # A part of the rows, extrapolated: the whole takes minutes.
    part = values[: max(200, CELLS // 100)]
    tree = cKDTree(values)

    def tree_part():
        for here in range(0, len(part), 500):
            for heard in tree.query_ball_point(part[here : here + 500], radius):
                values[heard].mean(axis=0)

    def all_pairs_part():
        for here in part:
            away = values - here
            heard = np.einsum("ij,ij->i", away, away) <= radius * radius
            values[heard].mean(axis=0)

    scale = CELLS / len(part)
    with use_threads(1):
        own = measure(benchmark, lambda: bounded_means(values, radius, device="cpu"), 2)
        peers = {
            "cKDTree.query_ball_point": least_seconds(tree_part, 2) * scale,
            "NumPy, all pairs": least_seconds(all_pairs_part, 2) * scale,
        }
        if radius < RADIUS:
            peers["cKDTree.query_pairs"] = least_seconds(lambda: pair_means(values, radius), 2)
    title = f"means in {dimensions} dimensions, n = {CELLS}, radius {radius}"
    tell_beside(benchmark, own, peers, title)


@pytest.mark.benchmark(group="bounded confidence in cells and tiles")
def test_one_opinion_far_from_all(benchmark):
    near = np.random.default_rng(0).random((CELLS, 2))
    strayed = near.copy()
    strayed[0] = 1e6
    with use_threads(1):
        own = measure(benchmark, lambda: bounded_means(strayed, 0.02, device="cpu"), 4)
        without = least_seconds(lambda: bounded_means(near, 0.02, device="cpu"), 4)
    tell_beside(benchmark, own, {"without it": without}, f"one opinion at a million, n = {CELLS}")


@pytest.mark.benchmark(group="bounded confidence in cells and tiles")
@pytest.mark.parametrize("n", [1_000, 10_000] if FULL else [500])
def test_tiles(benchmark, n):
    values = np.random.default_rng(0).random((n, 8))
    every = np.full(n, 0.5), np.ones(n)
    with use_threads(1):
        own = measure(benchmark, lambda: means_within(values, *every, device="cpu"), 3)
        product = least_seconds(lambda: product_means(values, 0.5), 3)
    tell_beside(benchmark, own, {"NumPy, BLAS": product}, f"means in 8 dimensions, n = {n}")


# -- graphs -------------------------------------------------------------------------------------


def random_graph(n):
    import networkx as nx

    graph = nx.fast_gnp_random_graph(n, 10.0 / (n - 1), seed=1)
    for node in [node for node, degree in graph.degree if not degree]:
        graph.add_edge(node, (node + 1) % n)
    return graph, nx.to_scipy_sparse_array(graph, format="csr")


def ndlib_model(model, graph, parameters):
    pytest.importorskip("ndlib")
    import ndlib.models.ModelConfig as config
    import ndlib.models.opinions as opinions

    chosen = getattr(opinions, model)(graph)
    settings = config.Configuration()
    for name, value in parameters.items():
        settings.add_model_parameter(name, value)
    chosen.set_initial_status(settings)
    # The first iteration returns the beginning.
    chosen.iteration(node_status=False)
    return chosen


def mended_hk(graph, status, radius):
    """Change every agent by NDlib's rule: the mean of the neighbours nearer than the radius."""
    changed = {}
    for node in graph.nodes:
        near = [status[j] for j in graph.neighbors(node) if abs(status[node] - status[j]) < radius]
        changed[node] = sum(near) / len(near) if near else status[node]
    return changed


def vectorised_hk(matrix, values, radius):
    """NumPy over the edges of a CSR matrix."""
    rows = np.repeat(np.arange(len(values)), np.diff(matrix.indptr))
    heard = np.abs(values[rows] - values[matrix.indices]) < radius
    count = np.bincount(rows, heard, len(values))
    total = np.bincount(rows, heard * values[matrix.indices], len(values))
    return np.where(count > 0, total / np.maximum(count, 1), values)


def stepping(crew, model, steps=STEPS):
    """Seconds of a step within a run, its beginning included."""
    return least_seconds(lambda: crew.run(model, steps, tolerance=None)) / steps


@pytest.mark.benchmark(group="opinions on graphs")
@pytest.mark.parametrize("n", NODES)
def test_bounded_confidence_on_a_graph(benchmark, n):
    graph, matrix = random_graph(n)
    values = np.random.default_rng(0).random(n)
    model = HegselmannKrause(matrix, with_own=False)
    crew = OpinionLandscape(values, influence_radius=RADIUS)
    status = dict(enumerate(values.tolist()))
    with use_threads(1):
        benchmark.pedantic(lambda: crew.run(model, STEPS, tolerance=None), rounds=1)
        own = stepping(crew, model)
        peers = {
            "NumPy over edges": least_seconds(lambda: vectorised_hk(matrix, values, RADIUS)),
            "NDlib's rule, mended": least_seconds(lambda: mended_hk(graph, status, RADIUS), 2),
        }
        if n <= NDLIB_HK_NODES:
            peer = ndlib_model("HKModel", graph, {"epsilon": RADIUS})
            spent = least_seconds(lambda: peer.iteration(node_status=False), 2)
            peers["NDlib HKModel, an iteration of n looks that changes one agent"] = spent
    tell_beside(benchmark, own, peers, f"bounded confidence on a graph, n = {n}, all agents")


@pytest.mark.benchmark(group="opinions on graphs")
@pytest.mark.parametrize("n", NODES)
def test_meetings_on_a_graph(benchmark, n):
    graph, matrix = random_graph(n)
    values = np.random.default_rng(0).random(n)
    crew = OpinionLandscape(values, influence_radius=RADIUS, rng=np.random.default_rng(1))
    model = Deffuant(matrix)
    with use_threads(1):
        benchmark.pedantic(lambda: crew.run(model, STEPS, tolerance=None), rounds=1)
        own = stepping(crew, model)
        peer = ndlib_model("AlgorithmicBiasModel", graph, {"epsilon": RADIUS, "gamma": 0.0})
        spent = least_seconds(lambda: peer.iteration(node_status=False), 2)
    peers = {"NDlib AlgorithmicBiasModel, gamma 0": spent}
    tell_beside(benchmark, own, peers, f"n meetings, n = {n}")


@pytest.mark.benchmark(group="opinions on graphs")
@pytest.mark.parametrize("n", [1_000, 10_000, 100_000] if FULL else [200])
def test_stubborn_and_trusting_on_a_graph(benchmark, n):
    rng = np.random.default_rng(0)
    # 32-bit indices, which SciPy is faster with and which ours has in any case.
    chosen = rng.integers(0, n, (n, 10), np.int32)
    rows = np.repeat(np.arange(n, dtype=np.int32), 10)
    weights = sparse.csr_array((np.full(10 * n, 0.1), (rows, chosen.ravel())), shape=(n, n))
    weights.sum_duplicates()
    values, share = rng.random(n), np.full(n, 0.8)
    crew = OpinionLandscape(values)
    mine, anchor = weights.copy(), 0.2 * values
    mine.data *= np.repeat(share, np.diff(mine.indptr))

    steps = (10_000_000 if FULL else 10_000) // n

    def scipy_steps():
        now = values
        for _ in range(steps):
            now = mine @ now
            now += anchor

    with use_threads(1):
        stubborn = FriedkinJohnsen(0.8, weights)
        benchmark.pedantic(lambda: crew.run(stubborn, steps, tolerance=None), rounds=1)
        own = stepping(crew, stubborn, steps)
        peers = {
            "SciPy csr": least_seconds(scipy_steps) / steps,
            "DeGroot, ours": stepping(crew, DeGroot(weights), steps),
        }
    tell_beside(benchmark, own, peers, f"Friedkin–Johnsen, n = {n}")


# -- the rest -----------------------------------------------------------------------------------


@pytest.mark.benchmark(group="phases")
@pytest.mark.parametrize("n", [2_000, 100_000] if FULL else [300])
def test_phases(benchmark, n):
    rng = np.random.default_rng(0)
    phases, own_pace = rng.uniform(0.0, 6.0, n), rng.standard_normal(n)
    crew = OpinionLandscape(phases)
    model = Kuramoto(own_pace, 2.0)

    def all_pairs():
        for _ in range(4):
            np.sin(phases - phases[:, np.newaxis]).mean(axis=1)

    with use_threads(1):
        benchmark.pedantic(lambda: crew.run(model, 2, tolerance=None), rounds=1)
        own = stepping(crew, model)
        peers = {"NumPy, all pairs": least_seconds(all_pairs, 2)} if n <= 2_000 else {}
    tell_beside(benchmark, own, peers, f"Kuramoto's mean field, four slopes a step, n = {n}")


@pytest.mark.benchmark(group="groups")
@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_groups(benchmark, dimensions):
    cluster = pytest.importorskip("sklearn.cluster")
    rng = np.random.default_rng(0)
    n, radius = (20_000 if FULL else 500), 0.02
    centres = rng.random((20, dimensions))
    values = centres[rng.integers(0, 20, n)] + 0.01 * rng.standard_normal((n, dimensions))
    with use_threads(1):
        own = measure(benchmark, lambda: opinion_clusters(values, radius), 3)
        dbscan = cluster.DBSCAN(eps=radius, min_samples=1)
        spent = least_seconds(lambda: dbscan.fit(values), 2)
    title = f"groups in {dimensions} dimensions, n = {n}"
    tell_beside(benchmark, own, {"scikit-learn DBSCAN": spent}, title)
