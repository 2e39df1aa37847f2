"""Rumours and averages by hearsay."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.gossip.averages import pairwise_gossip, push_sum
from swarmloom_protocols.consensus.gossip.kernels import draw_partners, push_sum_round
from swarmloom_protocols.consensus.gossip.networks import neighbours_of
from swarmloom_protocols.consensus.gossip.rumours import expected_push_rounds, spread_rumour
from tests.naive import gossip as naive

GRAPHS = st.integers(3, 20).flatmap(
    lambda n: st.integers(0, 2**31).map(lambda seed: connected(n, seed))
)


def connected(n, seed):
    graph = nx.gnp_random_graph(n, 0.4, seed=seed)
    nx.add_path(graph, range(n))
    return graph


def lists(graph):
    return [sorted(graph.adj[node]) for node in sorted(graph)]


def seed_of(rng_seed):
    return int(np.random.default_rng(rng_seed).integers(2**32))


@pytest.mark.row("C14")
def test_rumours_take_log2_n_and_ln_n_rounds():
    rounds = [spread_rumour(10_000, rng=np.random.default_rng(seed)).rounds for seed in range(60)]
    expected = expected_push_rounds(10_000)
    assert expected == pytest.approx(22.498, abs=1e-3)
    # Measured elsewhere: 23.45; the constant beyond the two logarithms is about 1.
    assert expected + 0.5 < np.mean(rounds) < expected + 1.7


@given(GRAPHS, st.integers(1, 3), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_rumours_equal_the_naive_ones(graph, fan_out, seed):
    spread = spread_rumour(graph, fan_out=fan_out, rng=np.random.default_rng(seed))
    expected = naive.push(lists(graph), fan_out, 0, seed_of(seed))
    assert spread.informed.tolist() == expected
    assert spread.messages == fan_out * sum(expected[:-1])


def test_everybody_linked_equals_a_complete_graph():
    alike = [
        spread_rumour(graph, rng=np.random.default_rng(3)).informed.tolist()
        for graph in (12, nx.complete_graph(12), np.ones((12, 12)))
    ]
    assert alike[0] == alike[1] == alike[2] == naive.push(naive.complete(12), 1, 0, seed_of(3))


@given(GRAPHS, st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_averages_equal_the_naive_ones(graph, seed):
    values = np.random.default_rng(seed + 1).normal(size=len(graph))
    rng = np.random.default_rng(seed)
    result = push_sum(values, graph, tolerance=1e-3, rng=rng)
    expected, *_ = naive.push_sum(values, lists(graph), seed_of(seed), result.rounds)
    np.testing.assert_allclose(result.estimates, expected, rtol=0, atol=1e-12)
    assert result.errors[-1] <= 1e-3 < result.errors[:-1].min(initial=1.0)
    met = pairwise_gossip(values, graph, tolerance=1e-3, rng=np.random.default_rng(seed))
    expected = naive.pairwise(values, lists(graph), seed_of(seed), met.rounds)
    np.testing.assert_allclose(met.estimates, expected, rtol=0, atol=1e-12)


@pytest.mark.row("C14")
def test_no_mass_is_lost():
    network = neighbours_of(connected(50, 1))
    shares = np.random.default_rng(0).random((50, 3))
    total, partners = shares.sum(axis=0), np.empty(50, np.int64)
    for number in range(2000):
        draw_partners(partners, *network, 7, number)
        after = np.empty_like(shares)
        push_sum_round(shares, after, partners)
        shares = after
    np.testing.assert_allclose(shares.sum(axis=0), total, rtol=1e-12)


@pytest.mark.row("C14")
@pytest.mark.row("C17")
def test_push_sum_takes_rounds_like_log_n():
    """Measured elsewhere: 42, 45, 47, 48 rounds at 2^7, 2^10, 2^13, 2^16."""
    rounds = [
        push_sum(np.random.default_rng(0).random(2**k), rng=np.random.default_rng(k)).rounds
        for k in (7, 10, 13, 16)
    ]
    steps = np.diff(rounds)
    assert 38 <= rounds[0] <= 48
    assert (steps >= 0).all()
    assert (steps <= 6).all()


def test_columns_are_averaged_together():
    values = np.random.default_rng(0).random((30, 4))
    result = push_sum(values, rng=np.random.default_rng(1))
    assert result.estimates.shape == (30, 4)
    np.testing.assert_allclose(result.estimates, np.tile(values.mean(axis=0), (30, 1)), atol=1e-5)


@pytest.mark.parametrize("average", [push_sum, pairwise_gossip])
@pytest.mark.parametrize("values", [[3.0], [2.0] * 5, np.full((4, 2), 1e299)])
def test_nothing_to_learn_takes_no_round(average, values):
    result = average(values, rng=np.random.default_rng(0))
    assert result.rounds == 0
    np.testing.assert_array_equal(result.estimates, values)


def test_values_are_left_as_they_are():
    values = np.arange(5.0)
    values.flags.writeable = False
    push_sum(values, rng=np.random.default_rng(0))
    pairwise_gossip(values, rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    "values",
    [
        [],
        [np.nan, 1.0],
        [np.inf, 1.0],
        [1e308, 1e308],
        np.zeros((2, 2, 2)),
        ["a", "b"],
        [1j, 2j],
        [[1], [2, 3]],
    ],
)
def test_bad_values(values):
    for average in (push_sum, pairwise_gossip):
        with pytest.raises(InputError, match="values"):
            average(values, rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (0, "from 1"),
        (np.zeros((2, 3)), "shape"),
        (np.array([[0, 1], [0, 0]]), "symmetric"),
        (np.array([[0, np.nan], [np.nan, 0]]), "NaN"),
        (np.zeros((3, 3)), "3 parts"),
        (nx.Graph(), r"shape \(0, 0\)"),
        ("ring", "graph of type"),
    ],
)
def test_bad_graphs(graph, message):
    with pytest.raises(InputError, match=message):
        spread_rumour(graph, rng=np.random.default_rng(0))


def test_graphs_of_another_size():
    with pytest.raises(InputError, match="3 values for a graph of 4"):
        push_sum(np.arange(3.0), nx.path_graph(4), rng=np.random.default_rng(0))
    with pytest.raises(InputError, match="source"):
        spread_rumour(3, source=3, rng=np.random.default_rng(0))
    with pytest.raises(InputError, match="most_rounds = 2"):
        spread_rumour(nx.path_graph(9), most_rounds=2, rng=np.random.default_rng(0))
