"""Reversals, the moves made of them, 3-opt against all exchanges, greedy tours and kicks."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom_protocols.bio_routing.search.candidates import cheapest, nearest
from swarmloom_protocols.bio_routing.search.tours.distances import Cities
from swarmloom_protocols.bio_routing.search.tours.flips import (
    AT,
    COUNTS,
    NOTED,
    ORDER,
    QUEUE,
    QUEUED,
    WAITING,
    exchange,
    flip,
    new_notes,
    new_state,
    redo,
    swap,
    undo,
)
from swarmloom_protocols.bio_routing.search.tours.greedy import greedy_tour
from swarmloom_protocols.bio_routing.search.tours.kicks import kick_and_repair
from swarmloom_protocols.bio_routing.search.tours.three_opt import improve, roads
from tests.naive import three_opt as naive


def started(n, seed=0):
    order = np.random.default_rng(seed).permutation(n).astype(np.int32)
    return order, new_state(order), new_notes()


def edges(order):
    return {frozenset((int(a), int(b))) for a, b in zip(order, np.roll(order, 1), strict=True)}


def local_optimum(costs, order):
    """The tour that local search ends at, and what it says it has gained."""
    ways = roads(Cities.of(costs=costs), cheapest(costs, 10))
    state, notes = new_state(order), new_notes()
    state[QUEUE], state[QUEUED], state[COUNTS, WAITING] = order, 1, len(order)
    gain = improve(*ways, state, notes, False)
    return ways, state, notes, gain


def coherent(state):
    n = state.shape[1]
    np.testing.assert_array_equal(np.sort(state[ORDER]), np.arange(n))
    np.testing.assert_array_equal(state[AT, state[ORDER]], np.arange(n))


@given(st.integers(8, 30), st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=8))
def test_flips_are_undone_and_redone(n, flips):
    order, state, notes = started(n)
    for first, last in flips:
        flip(state, notes, first % n, last % n)
        coherent(state)
    changed, count = state[ORDER].copy(), int(state[COUNTS, NOTED])
    undo(state, notes)
    np.testing.assert_array_equal(state[ORDER], order)
    redo(state, notes, count)
    np.testing.assert_array_equal(state[ORDER], changed)


@given(st.integers(8, 20), st.integers(0, 19), st.integers(2, 17), st.booleans())
def test_an_exchange_replaces_two_edges(n, start, apart, backwards):
    order, state, notes = started(n)
    apart = min(apart, n - 2)
    a, b, d, c = (
        int(order[(start + i) % n]) for i in (0, 1, apart, apart + 1)
    )  # ... a b ... d c ...
    if backwards:
        a, b, c, d = b, a, d, c
    exchange(state, notes, a, b, c, d)
    coherent(state)
    old = {frozenset((a, b)), frozenset((c, d))}
    assert edges(state[ORDER]) == edges(order) - old | {frozenset((b, c)), frozenset((d, a))}


@given(st.integers(8, 20), st.integers(0, 19), st.integers(1, 6), st.integers(1, 6), st.booleans())
def test_a_swap_moves_a_stretch_unturned(n, start, first, second, backwards):
    order, state, notes = started(n)
    first, second = min(first, n - 3), min(second, n - 1 - min(first, n - 3))
    tour = np.roll(order, -start)
    a, b, c = tour[0], tour[1], tour[first]
    d, e, f = tour[first + 1], tour[first + second], tour[(first + second + 1) % n]
    wanted = np.concatenate(
        [
            tour[:1],
            tour[first + 1 : first + second + 1],
            tour[1 : first + 1],
            tour[first + second + 1 :],
        ]
    )
    if backwards:
        a, b, c, d, e, f = f, e, d, c, b, a
    swap(state, notes, a, b, c, d, e, f)
    coherent(state)
    assert edges(state[ORDER]) == edges(wanted)


@settings(max_examples=20)
@given(st.integers(8, 9), st.integers(0, 10**6), st.booleans())
def test_what_local_search_gains_is_what_the_tour_loses(n, seed, plane):
    rng = np.random.default_rng(seed)
    places = rng.random((n, 2)) if plane else rng.random((n, n))
    costs = np.hypot(*(places[:, None] - places[None]).T) if plane else places + places.T
    order = rng.permutation(n).astype(np.int32)
    _, state, _, gain = local_optimum(costs, order)
    coherent(state)
    assert not state[QUEUED].any()
    before, after = naive.length(order, costs), naive.length(state[ORDER], costs)
    assert after == pytest.approx(before - gain)


def test_hardly_any_exchange_of_three_edges_is_left_at_a_local_optimum():
    # The second list holds five of seven cities, so a few exchanges are never looked at.
    left = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        places = rng.random((8, 2))
        costs = np.hypot(*(places[:, None] - places[None]).T)
        _, state, _, _ = local_optimum(costs, rng.permutation(8).astype(np.int32))
        found = naive.length(state[ORDER], costs)
        best = naive.length(naive.best_neighbour(state[ORDER], costs), costs)
        left += best < found * (1 - 1e-9)
    assert left <= 2


@settings(max_examples=30)
@given(st.integers(3, 60), st.integers(0, 10**6), st.integers(1, 6), st.booleans())
def test_the_greedy_tour_visits_all_whatever_coincides(n, seed, k, grid):
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 3, (n, 2)).astype(float) if grid else rng.random((n, 2))
    order = greedy_tour(Cities.of(points), nearest(points, k))
    np.testing.assert_array_equal(np.sort(order), np.arange(n))


def test_the_greedy_tour_takes_shortest_edges_first():
    points = np.random.default_rng(5).random((40, 2))
    costs = np.hypot(*(points[:, None] - points[None]).T)
    graph, ends = nx.Graph(), np.zeros(40, int)
    graph.add_nodes_from(range(40))
    rows, columns = np.triu_indices(40, 1)
    for i in np.argsort(costs[rows, columns]):
        a, b = int(rows[i]), int(columns[i])
        if ends[a] < 2 > ends[b] and not nx.has_path(graph, a, b):
            graph.add_edge(a, b)
            ends[[a, b]] += 1
    a, b = np.flatnonzero(ends < 2)
    wanted = {frozenset(edge) for edge in graph.edges} | {frozenset((int(a), int(b)))}
    assert edges(greedy_tour(Cities.of(costs=costs), cheapest(costs, 39))) == wanted


def test_kicks_never_lengthen_a_tour_and_keep_count_of_it():
    points = np.random.default_rng(6).random((60, 2))
    costs = np.hypot(*(points[:, None] - points[None]).T)
    order = np.arange(60, dtype=np.int32)
    ways, state, notes, gain = local_optimum(costs, order)
    length = naive.length(order, costs) - gain
    for stream in range(5):
        shorter = kick_and_repair(*ways, state, notes, length, 200, 1, stream)
        assert shorter <= length * (1 + 1e-12)
        coherent(state)
        assert shorter == pytest.approx(naive.length(state[ORDER], costs))
        length = shorter
    assert length < naive.length(order, costs) - gain
