"""Market prices against the linear programme, clusters against their rule, diffusion's spectrum."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.allocation.auction import auction
from swarmloom_protocols.consensus.allocation.balance import balance_load
from swarmloom_protocols.consensus.allocation.emergence import (
    cosine_similarity,
    emergent_allocation,
)
from swarmloom_protocols.consensus.allocation.market import market_prices
from tests.naive.allocation import rounds_to_balance

pytestmark = pytest.mark.row("C12")


def programme(values, capacity):
    """Optimum and prices of the goods by HiGHS."""
    n, m = values.shape
    buyers = np.kron(np.eye(n), np.ones(m))
    goods = np.kron(np.ones(n), np.eye(m))
    room = np.concatenate([np.ones(n), capacity])
    solved = linprog(-values.ravel(), np.vstack([buyers, goods]), room, method="highs")
    return -solved.fun, -solved.ineqlin.marginals[n:]


@given(st.integers(0, 2**32))
def test_prices_bound_the_programme_and_come_near_its_duals(seed):
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(5, 30)), int(rng.integers(2, 6))
    values, capacity = rng.random((n, m)), rng.integers(1, 6, m)
    best, duals = programme(values, capacity)
    result = market_prices(values, capacity)
    assert best - 1e-9 <= result.bound <= 1.01 * best
    assert result.value <= best + 1e-9
    assert (np.bincount(result.assignment[result.assignment >= 0], minlength=m) <= capacity).all()
    # The duals of the programme are the prices with the lowest bound of all.
    surplus = np.maximum(values - duals, 0.0).max(axis=1)
    assert surplus.sum() + duals @ capacity == pytest.approx(best)
    assert result.prices.min() >= 0.0


def test_a_market_with_room_for_all_clears_at_once_and_for_nothing():
    values = np.random.default_rng(0).random((20, 4))
    result = market_prices(values, [20] * 4)
    assert result.rounds == 1
    assert result.clearing_error == 0.0
    assert (result.prices == 0.0).all()
    assert result.value == result.bound == values.max(axis=1).sum()


def test_scarcity_costs_and_two_buyers_of_one_good_pay_the_losers_value():
    result = market_prices([[1.0], [0.6]], [1], rounds=20_000)
    assert 0.59 < result.prices[0] <= 1.0
    assert result.bound == pytest.approx(1.0, abs=1e-2)
    assert result.assignment.tolist() == [0, -1]


def test_market_edges():
    assert market_prices(np.zeros((0, 2)), [1, 1]).value == 0.0
    assert market_prices(np.zeros((2, 0)), []).assignment.tolist() == [-1, -1]
    assert market_prices([[-np.inf, -2.0]], [1, 1]).assignment.tolist() == [-1]
    assert market_prices([[5.0]], [0]).value == 0.0
    for values, capacity in (([[np.nan]], [1]), ([[1.0]], [-1]), ([[1.0]], [1, 1])):
        with pytest.raises(InputError):
            market_prices(values, capacity)
    assert market_prices([[1.0, 2.0]], [1.0, 2.0]).assignment.tolist() == [1]


@pytest.mark.parametrize("capacity", [[1.7, 0.2], [np.nan, 1.0], [np.inf, 1.0], ["a", "b"]])
def test_capacities_are_whole_numbers(capacity):
    with pytest.raises(InputError, match="capacity"):
        market_prices([[1.0, 2.0]], capacity)
    with pytest.raises(InputError, match="capacity"):
        emergent_allocation([[1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]], capacity)


def test_the_market_keeps_the_prices_of_its_best_round():
    rng = np.random.default_rng(4)
    values, capacity = rng.random((25, 5)), np.array([1, 2, 3, 4, 5])
    results = [market_prices(values, capacity, rounds=rounds) for rounds in range(1, 80)]
    assert (np.diff([result.bound for result in results]) <= 0.0).all()
    for result in results:
        surplus = np.maximum((values - result.prices).max(axis=1), 0.0).sum()
        assert surplus + result.prices @ capacity == pytest.approx(result.bound, rel=1e-12)


def directions(rng, n, spread):
    centres = np.eye(4)[rng.integers(0, 4, n)]
    return centres + spread * rng.standard_normal((n, 4))


def test_clusters_keep_every_rule_and_stay_below_the_auction():
    rng = np.random.default_rng(2)
    tasks, experts = directions(rng, 30, 0.3), directions(rng, 30, 0.3)
    able = rng.random((30, 30)) < 0.8
    result = emergent_allocation(tasks, experts, np.ones(30), able=able)
    similarity = cosine_similarity(tasks, experts)
    for task, taken in enumerate(result.experts):
        assert len(taken) <= 1
        assert able[task, taken].all()
        assert (similarity[task, taken] > 0.7).all()
    assert result.load.max() == 1
    allowed = np.where(able & (similarity > 0.7), similarity, -np.inf)
    best = auction(allowed, gap=0.0, reserve=0.0).value
    assert 0.7 * best < result.value <= best + 1e-9


def test_a_task_takes_its_nearest_cluster_in_order_and_waits_where_it_is_too_small():
    angles = np.radians([39.0, 40.0, 41.0, -10.0, -12.0])
    experts = np.column_stack([np.cos(angles), np.sin(angles)])
    taken = emergent_allocation([[1.0, 0.0]], experts, [1] * 5, most=2, threshold=0.75)
    assert taken.experts[0].tolist() == [3, 4]
    three = emergent_allocation([[1.0, 0.0]], experts, [1] * 5, least=3, most=3, threshold=0.75)
    assert three.experts[0].tolist() == [0, 1, 2]
    assert (
        emergent_allocation([[1, 0]], experts, [1] * 5, least=4, most=9, threshold=0.75).value == 0
    )
    assert emergent_allocation([[1, 0]], experts, [0] * 5).load.sum() == 0


def test_what_clusters_refuse():
    for experts, capacity in (([[0.0, 0.0]], [1]), ([[np.nan, 1.0]], [1]), ([[1.0, 0.0]], [-1])):
        with pytest.raises(InputError):
            emergent_allocation([[1.0, 0.0]], experts, capacity)
    with pytest.raises(InputError, match="able"):
        emergent_allocation([[1.0, 0.0]], [[1.0, 0.0]], [1], able=[True])


NETWORKS = {
    "hypercube": lambda: nx.hypercube_graph(6),
    "torus": lambda: nx.grid_2d_graph(8, 8, periodic=True),
    "ring": lambda: nx.cycle_graph(64),
    "random": lambda: nx.random_regular_graph(6, 64, seed=1),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_rounds_of_diffusion_are_what_the_spectrum_says(name):
    graph = NETWORKS[name]()
    load = np.zeros(64)
    load[5] = 640.0
    result = balance_load(graph, load, tolerance=1e-3)
    assert result.load.sum() == pytest.approx(640.0)
    assert 0.3 * result.predicted < result.rounds <= np.ceil(result.predicted)
    assert np.linalg.norm(result.load - 10.0) <= 1e-3 * np.linalg.norm(load - 10.0)


def test_rings_take_a_hundred_times_a_hypercube_and_four_times_with_twice_the_nodes():
    def rounds(graph):
        start = np.random.default_rng(0).standard_normal(len(graph))
        return balance_load(graph, start).predicted

    hypercube, ring, longer = map(
        rounds, (nx.hypercube_graph(7), nx.cycle_graph(128), nx.cycle_graph(256))
    )
    assert ring > 100 * hypercube
    assert longer / ring == pytest.approx(4.0, rel=0.01)


def test_diffusion_against_plain_loops_and_edges():
    graph = nx.cycle_graph(9)
    load = np.arange(9.0)
    spectrum = np.linalg.eigvalsh(nx.laplacian_matrix(graph).toarray().astype(float))
    share = 2.0 / (spectrum[1] + spectrum[-1])
    neighbours = [list(graph[node]) for node in range(9)]
    result = balance_load(graph, load, tolerance=1e-4)
    away = np.abs(result.load - 4.0).max()
    assert rounds_to_balance(neighbours, load, share, away * (1 + 1e-9), 1000) == result.rounds
    assert balance_load(nx.complete_graph(5), np.arange(5.0)).rounds == 1
    assert balance_load(np.zeros((1, 1)), [3.0]).load.tolist() == [3.0]
    assert balance_load(graph, np.ones(9)).rounds == 0
    with pytest.raises(InputError, match="load"):
        balance_load(graph, [1.0, np.nan])
