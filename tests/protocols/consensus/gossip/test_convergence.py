"""Rounds of averaging: what the spectrum predicts, and what is measured."""

import networkx as nx
import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.gossip.convergence import (
    averaging_matrix,
    convergence,
    rounds_to_mean,
    spectral_gap,
)


def rounds(graphs, tolerance=1e-2):
    return [
        convergence(graph, tolerance=tolerance, rng=np.random.default_rng(0)) for graph in graphs
    ]


@pytest.mark.row("C17")
@pytest.mark.parametrize("n", [8, 31, 500])
def test_gap_of_a_ring_is_known(n):
    """The lazy ring's eigenvalues are (1 + cos 2πk/n)/2."""
    gap = spectral_gap(averaging_matrix(nx.cycle_graph(n)))
    assert gap == pytest.approx((1 - np.cos(2 * np.pi / n)) / 2, rel=1e-6)


@pytest.mark.parametrize("n", [2, 7, 40])
def test_gap_of_a_complete_graph_is_known(n):
    assert spectral_gap(averaging_matrix(nx.complete_graph(n))) == pytest.approx(n / (2 * n - 2))


@pytest.mark.parametrize("d", [2, 4, 9])
def test_gap_of_a_hypercube_is_known(d):
    assert spectral_gap(averaging_matrix(nx.hypercube_graph(d))) == pytest.approx(1 / d)


@pytest.mark.row("C17")
@pytest.mark.parametrize(
    "graph",
    [nx.cycle_graph(64), nx.hypercube_graph(7), nx.random_regular_graph(4, 400, seed=1)],
    ids=["ring", "hypercube", "expander"],
)
def test_the_slowest_start_takes_what_the_gap_predicts(graph):
    result = convergence(graph, rng=np.random.default_rng(0))
    assert result.worst == pytest.approx(result.predicted, abs=1.0)
    assert result.measured <= result.worst


@pytest.mark.row("C17")
def test_log_n_holds_on_mixing_graphs_and_not_on_a_ring():
    sizes = np.array([32, 128, 256])
    ring = rounds(nx.cycle_graph(n) for n in sizes)
    slope = np.polyfit(np.log(sizes), np.log([r.worst for r in ring]), 1)[0]
    assert slope == pytest.approx(2.0, abs=0.05)
    cubes = rounds(nx.hypercube_graph(d) for d in (5, 7, 9))
    per_log = [r.worst / d for r, d in zip(cubes, (5, 7, 9), strict=True)]
    assert np.ptp(per_log) < 0.1 * np.mean(per_log)
    expander = rounds(nx.random_regular_graph(4, n, seed=2) for n in (128, 512, 2048))
    assert expander[-1].worst < 1.4 * expander[0].worst
    assert ring[-1].worst > 300 * expander[1].worst


def test_matrices_are_doubly_stochastic():
    matrix = averaging_matrix(nx.barabasi_albert_graph(60, 2, seed=0)).toarray()
    np.testing.assert_allclose(matrix.sum(axis=0), 1.0)
    np.testing.assert_allclose(matrix, matrix.T)
    assert (matrix >= 0).all()
    assert np.linalg.eigvalsh(matrix).min() > -1e-12


def test_one_node_has_nothing_to_wait_for():
    result = convergence(np.zeros((1, 1)), rng=np.random.default_rng(0))
    assert (result.gap, result.predicted, result.measured, result.worst) == (1.0, 0.0, 0, 0)


def test_rounds_end_in_any_case():
    matrix = averaging_matrix(nx.cycle_graph(100))
    assert rounds_to_mean(matrix, np.arange(100.0), 1e-9, most_rounds=7) == 7


@pytest.mark.parametrize(
    "matrix", [[[1.0, 0.5], [0.0, 1.0]], [[0.5, 0.4], [0.4, 0.5]], [[np.nan]], [[1.0, 0.0]]]
)
def test_matrices_that_do_not_average(matrix):
    from scipy import sparse

    with pytest.raises(InputError, match="matrix"):
        spectral_gap(sparse.csr_array(np.array(matrix)))


def test_bad_tolerance():
    with pytest.raises(InputError, match="tolerance"):
        convergence(nx.path_graph(3), tolerance=1.0, rng=np.random.default_rng(0))
