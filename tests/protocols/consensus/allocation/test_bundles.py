"""Bundle bidding against the central greedy choice and the optimum."""

import itertools

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, milp

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.allocation.auction import auction
from swarmloom_protocols.consensus.allocation.bundles import bundle_bidding, discounted

pytestmark = pytest.mark.row("C12")

GRAPHS = {
    "all": lambda n: n,
    "line": lambda n: nx.path_graph(n),
    "ring": lambda n: nx.cycle_graph(n),
    "star": lambda n: nx.star_graph(n - 1),
}


def greedy(values, factor, capacity):
    """Take the best pair of agent and task again and again."""
    bundles = [[] for _ in capacity]
    total, open_tasks = 0.0, set(range(values.shape[1]))
    while open_tasks:
        offers = [
            (values[agent, task] * factor ** len(bundles[agent]), -agent, -task)
            for agent in range(len(capacity))
            for task in open_tasks
            if len(bundles[agent]) < capacity[agent]
        ]
        if not offers or max(offers)[0] <= 0.0:
            break
        worth, agent, task = max(offers)
        bundles[-agent].append(-task)
        open_tasks.remove(-task)
        total += worth
    return total, tuple(map(tuple, bundles))


def optimum(values, factor, capacity):
    best = 0.0
    for owners in itertools.product(range(-1, len(capacity)), repeat=values.shape[1]):
        sizes = np.bincount(np.array(owners) + 1, minlength=len(capacity) + 1)[1:]
        if (sizes <= capacity).all():
            total = 0.0
            for agent in range(len(capacity)):
                mine = [values[agent, t] for t, owner in enumerate(owners) if owner == agent]
                total += sum(v * factor**k for k, v in enumerate(sorted(mine, reverse=True)))
            best = max(best, total)
    return best


@settings(max_examples=60)
@given(
    st.integers(0, 2**32),
    st.integers(3, 6),
    st.integers(0, 9),
    st.sampled_from([1.0, 0.8, 0.3]),
    st.sampled_from(sorted(GRAPHS)),
)
def test_talk_ends_where_the_central_greedy_choice_does(seed, n, m, factor, graph):
    rng = np.random.default_rng(seed)
    values, capacity = rng.random((n, m)), rng.integers(0, 4, n)
    result = bundle_bidding(discounted(values, factor), m, capacity, GRAPHS[graph](n))
    total, bundles = greedy(values, factor, capacity)
    assert result.value == pytest.approx(total, rel=1e-12)
    assert result.bundles == bundles
    for agent, bundle in enumerate(bundles):
        assert (result.assignment[list(bundle)] == agent).all()
    assert (result.assignment >= 0).sum() == sum(map(len, bundles))


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.sampled_from([1.0, 0.5]))
def test_at_least_half_the_optimum(seed, factor):
    rng = np.random.default_rng(seed)
    values, capacity = rng.random((3, 5)) ** 3, rng.integers(1, 4, 3)
    result = bundle_bidding(discounted(values, factor), 5, capacity, nx.path_graph(3))
    best = optimum(values, factor, capacity)
    assert 0.5 * best <= result.value <= best + 1e-12


def test_half_is_nearly_what_the_worst_case_gets():
    values = np.array([[1.0, 0.999], [0.999, 0.0]])
    result = bundle_bidding(discounted(values, 1.0), 2, [1, 1], 2)
    assert result.value / auction(values, gap=0.0).value == pytest.approx(1.0 / 1.998)


def test_equal_values_are_settled_by_number_and_far_ends_of_a_line_agree():
    result = bundle_bidding(discounted(np.ones((12, 12)), 0.5), 12, [1] * 12, nx.path_graph(12))
    assert sorted(result.assignment) == list(range(12))
    assert result.rounds >= 11


def test_gains_of_the_callers_own():
    def gain(agent, bundle, task):
        return 0.0 if any(abs(task - other) < 2 for other in bundle) else 1.0 / (1 + agent)

    result = bundle_bidding(gain, 6, [6, 6], 2)
    assert result.bundles == ((0, 2, 4), (1, 3, 5))


def test_edges_and_what_is_refused():
    assert bundle_bidding(discounted(np.zeros((1, 0)), 1.0), 0, [3], 1).assignment.shape == (0,)
    idle = bundle_bidding(discounted(np.zeros((2, 3)), 1.0), 3, [1, 1], 2)
    assert (idle.assignment == -1).all()
    free = discounted(np.ones((2, 2)), 1.0)
    with pytest.raises(InputError, match="parts"):
        bundle_bidding(free, 2, [1, 1], np.zeros((2, 2)))
    with pytest.raises(InputError, match="graph of 3"):
        bundle_bidding(free, 2, [1, 1], 3)
    with pytest.raises(InputError, match="capacity"):
        bundle_bidding(free, 2, [1, -1], 2)
    with pytest.raises(InputError, match="values"):
        discounted([[np.nan]], 1.0)


def read_gap(path):
    """Costs and loads, agents by tasks, and the agents' room."""
    words = np.array(path.read_text().split(), np.int64)
    agents, tasks = words[:2]
    costs, loads = words[2 : 2 + 2 * agents * tasks].reshape(2, agents, tasks)
    return costs, loads, words[2 + 2 * agents * tasks :]


def knapsacks(profit, loads, room):
    """Gains of tasks that take up room: none where it does not fit."""

    def gain(agent, bundle, task):
        used = loads[agent, list(bundle)].sum()
        return float(profit[agent, task]) if used + loads[agent, task] <= room[agent] else 0.0

    return gain


def test_generalised_assignment_of_the_literature_is_kept_within_its_bound(shared_data):
    costs, loads, room = read_gap(shared_data / "gap" / "c10200.txt")
    bounds = dict(
        line.split("\t")[:2]
        for line in (shared_data / "gap" / "bounds_min.tsv").read_text().splitlines()
    )
    agents, tasks = costs.shape
    # A profit that falls with the cost, so that every task is wanted.
    profit = 60 - costs
    best = 60 * tasks - int(bounds["c10200_Min"])
    result = bundle_bidding(knapsacks(profit, loads, room), tasks, [tasks] * agents, agents)
    for agent, bundle in enumerate(result.bundles):
        assert loads[agent, list(bundle)].sum() <= room[agent]
    assert 0.8 * best < result.value <= best


def test_small_generalised_assignments_against_integer_programming():
    rng = np.random.default_rng(4)
    for _ in range(5):
        profit, loads = rng.integers(1, 30, (3, 8)), rng.integers(5, 25, (3, 8))
        room = np.full(3, 30)
        fits = LinearConstraint(np.kron(np.eye(3), np.ones(8)) * loads.ravel(), ub=room)
        once = LinearConstraint(np.kron(np.ones(3), np.eye(8)), ub=1)
        solved = milp(-profit.ravel(), constraints=[fits, once], integrality=1, bounds=(0, 1))
        result = bundle_bidding(knapsacks(profit, loads, room), 8, [8] * 3, nx.path_graph(3))
        assert 0.5 * -solved.fun <= result.value <= -solved.fun + 1e-6


@pytest.mark.parametrize("worth", [np.nan, np.inf])
def test_gains_that_are_no_number_are_named_at_once(worth):
    with pytest.raises(InputError, match=r"gain\(0, \[\], 0\).*finite"):
        bundle_bidding(lambda agent, bundle, task: worth, 2, [1, 1], 2)
