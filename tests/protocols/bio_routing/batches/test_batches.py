"""Batch routing against a linear programme, SciPy's assignment and its own certificate."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.batches.batches import MANY_EXPERTS, Method, route_batch
from tests.naive.batches import most_and_best

METHODS = list(Method.__args__)
RULES = ["greedy", "top_k", "expert_choice", "sinkhorn", "bias"]


def check(scores, capacities, k, result):
    """Nothing is broken: capacities, distinct experts, what is allowed, and the sums."""
    tasks, experts = scores.shape
    held = result.assignment >= 0
    assert result.assignment.shape == (tasks, k)
    assert result.assignment.dtype == np.int64
    for row in result.assignment:
        taken = row[row >= 0]
        assert len(set(taken)) == len(taken)
        assert (row[len(taken) :] == -1).all()
    load = np.bincount(result.assignment[held], minlength=experts)
    np.testing.assert_array_equal(load, result.load)
    assert (load <= capacities).all()
    picked = np.repeat(np.arange(tasks), k).reshape(tasks, k)[held], result.assignment[held]
    assert (scores[picked] > -np.inf).all()
    assert result.value == pytest.approx(scores[picked].sum(), rel=1e-9, abs=1e-9)
    assert result.dropped.tolist() == np.flatnonzero((~held).any(axis=1)).tolist()
    assert result.value <= result.bound


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    tasks, experts = draw(st.integers(1, 9)), draw(st.integers(1, 6))
    scores = rng.normal(size=(tasks, experts)) if draw(st.booleans()) else None
    if scores is None:
        scores = rng.integers(-2, 3, (tasks, experts)).astype(float)
    scores[rng.random(scores.shape) < draw(st.sampled_from([0.0, 0.3, 0.8]))] = -np.inf
    capacities = rng.integers(0, draw(st.sampled_from([2, 4, 12])), experts)
    return scores, capacities, draw(st.integers(1, experts))


@settings(max_examples=150)
@given(problems())
def test_auction_and_flow_against_a_linear_programme(problem):
    scores, capacities, k = problem
    most, best = most_and_best(scores, capacities, k)
    for method, gap in (("auction", 1e-3), ("auction", 0.2), ("exact", 1e-3)):
        result = route_batch(scores, capacities, method=method, k=k, gap=gap)
        check(scores, capacities, k, result)
        assert (result.assignment >= 0).sum() == most
        assert result.bound >= best - 1e-9
        missing = 0.0 if method == "exact" else gap * abs(result.bound)
        assert best - missing - 1e-8 <= result.value <= best + 1e-8
        assert result.gap <= gap + 1e-12


@given(problems())
def test_rules_break_nothing(problem):
    scores, capacities, k = problem
    for method in RULES:
        result = route_batch(scores, capacities, method=method, k=k)
        check(scores, capacities, k, result)
        assert result.bound == np.inf or result.bound == result.value == 0.0


def optimum(scores, capacities):
    columns = np.repeat(np.arange(len(capacities)), capacities)
    rows, taken = linear_sum_assignment(scores[:, columns], maximize=True)
    return scores[rows, columns[taken]].sum()


KINDS = {
    "uniform": lambda rng, t, e: rng.random((t, e)),
    "products": lambda rng, t, e: rng.random((t, 1)) * rng.random((1, e)),
    "all alike": lambda rng, t, e: np.full((t, e), 0.5),
    "on a line": lambda rng, t, e: -np.abs(rng.random((t, 1)) - rng.random((1, e))),
    "heavy tails": lambda rng, t, e: rng.pareto(1.0, (t, e)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("experts", "places"), [(16, 19), (16, 25), (16, 9), (300, 1), (310, 2)])
def test_default_gap_is_proven_and_met(kind, experts, places):
    scores = KINDS[kind](np.random.default_rng(8), 300, experts)
    capacities = np.full(experts, places)
    result = route_batch(scores, capacities)
    check(scores, capacities, 1, result)
    best = optimum(scores, capacities)
    assert len(result.dropped) == max(0, 300 - experts * places)
    assert result.gap <= 1e-3
    assert result.bound >= best - 1e-9 * abs(best)
    assert result.value >= best - 1e-3 * abs(best)
    exact = route_batch(scores, capacities, method="exact")
    assert exact.value == pytest.approx(best, rel=1e-9)


def test_several_experts_a_task_at_a_larger_size():
    scores = np.random.default_rng(4).random((120, 20))
    capacities = np.full(20, 13)
    exact = route_batch(scores, capacities, method="exact", k=2)
    assert exact.value == pytest.approx(most_and_best(scores, capacities, 2)[1], rel=1e-9)
    result = route_batch(scores, capacities, k=2)
    check(scores, capacities, 2, result)
    assert result.value >= 0.999 * exact.value
    assert result.bound >= exact.value * (1 - 1e-12)
    for method in RULES:
        routed = route_batch(scores, capacities, method=method, k=2)
        check(scores, capacities, 2, routed)
        assert 0.3 * exact.value < routed.value <= exact.value * (1 + 1e-12)


def test_forbidden_pairs_among_many_experts():
    """Beyond `MANY_EXPERTS` SciPy solves it; some tasks cannot be served there."""
    rng = np.random.default_rng(6)
    scores = np.where(rng.random((40, MANY_EXPERTS)) < 0.02, rng.random((40, 256)), -np.inf)
    scores[:6, 1:] = -np.inf
    scores[:6, 0] = 0.5
    capacities = np.ones(MANY_EXPERTS, int)
    most, best = most_and_best(scores, capacities, 1)
    for method in ("auction", "exact"):
        result = route_batch(scores, capacities, method=method)
        check(scores, capacities, 1, result)
        assert 40 - len(result.dropped) == most < 40
        assert result.value == pytest.approx(best, rel=1e-3)


def test_what_each_rule_does_to_a_small_batch():
    scores = [[9.0, 5.0], [8.0, 1.0], [7.0, 6.0]]
    routed = {m: route_batch(scores, [1, 2], method=m).assignment.ravel() for m in METHODS}
    assert routed["exact"].tolist() == routed["auction"].tolist() == [1, 0, 1]
    assert routed["greedy"].tolist() == [0, 1, 1]
    assert routed["top_k"].tolist() == [0, -1, -1]
    assert routed["expert_choice"].tolist() == [0, -1, 1]


def test_capacity_factor_is_gshards():
    scores = np.random.default_rng(1).random((10, 4))
    result = route_batch(scores, capacity_factor=1.0, method="top_k", k=2)
    assert result.load.max() <= 5
    loose = route_batch(scores, capacity_factor=4.0, method="top_k", k=2)
    assert loose.dropped.size == 0
    np.testing.assert_array_equal(
        loose.assignment, np.sort(np.argsort(-scores, axis=1)[:, :2], axis=1)
    )


def test_balancing_serves_more_than_sending_all_to_their_best():
    rng = np.random.default_rng(2)
    scores = rng.random((400, 1)) * rng.random((1, 8)) + 0.3 * rng.random((400, 8))
    best = route_batch(scores, capacity_factor=1.0, method="exact").value
    routed = {m: route_batch(scores, capacity_factor=1.0, method=m) for m in RULES}
    assert len(routed["top_k"].dropped) > 100
    assert len(routed["sinkhorn"].dropped) == len(routed["bias"].dropped) == 0
    for method in ("sinkhorn", "bias"):
        assert best >= routed[method].value > routed["top_k"].value


def test_same_result_whatever_the_order_of_equal_tasks_and_read_only_input():
    scores = np.random.default_rng(3).random((50, 5))
    scores.flags.writeable = False
    capacities = np.full(5, 10)
    capacities.flags.writeable = False
    for method in METHODS:
        first, again = (route_batch(scores, capacities, method=method) for _ in range(2))
        np.testing.assert_array_equal(first.assignment, again.assignment)


@pytest.mark.parametrize("method", METHODS)
def test_edges(method):
    nobody = route_batch(np.zeros((3, 2)), [0, 0], method=method)
    assert nobody.dropped.tolist() == [0, 1, 2]
    assert nobody.value == 0.0
    assert route_batch(np.zeros((0, 2)), [1, 1], method=method).assignment.shape == (0, 1)
    assert route_batch(np.zeros((2, 0)), [], method=method).dropped.tolist() == [0, 1]
    none = route_batch([[-np.inf, -np.inf]], [1, 1], method=method)
    assert none.dropped.tolist() == [0]
    one = route_batch([[-7.5]], [10**9], method=method)
    assert one.assignment.tolist() == [[0]]
    assert one.value == -7.5


@pytest.mark.parametrize("scale", [1e300, 1e-300])
def test_huge_and_tiny_scores(scale):
    scores = np.random.default_rng(5).random((20, 4))
    capacities = np.full(4, 5)
    assert route_batch(scores * scale, capacities).value == pytest.approx(
        scale * optimum(scores, capacities), rel=1e-3
    )


@pytest.mark.parametrize(
    ("scores", "capacities", "options", "message"),
    [
        ([1.0, 2.0], [1], {}, "must be a matrix"),
        ([[1.0, np.nan]], [1, 1], {}, "NaN or"),
        ([[1.0, np.inf]], [1, 1], {}, "NaN or"),
        ([[-np.inf, np.inf]], [1, 1], {}, "NaN or"),
        ([[-np.inf, np.nan]], [1, 1], {}, "NaN or"),
        ([[1e308, -1e308]], [1, 1], {}, "too large"),
        ([[1.0, 2.0]], [1, -1], {}, "capacities: -1"),
        ([[1.0, 2.0]], [1, 0.5], {}, "capacities: 0.5"),
        ([[1.0, 2.0]], [1, 1, 1], {}, "one for each of 2"),
        ([[1.0, 2.0]], None, {}, "give one of the two"),
        ([[1.0, 2.0]], [1, 1], {"capacity_factor": 1.0}, "give one of the two"),
        ([[1.0, 2.0]], None, {"capacity_factor": 0.0}, "capacity_factor is 0"),
        ([[1.0, 2.0]], [1, 1], {"k": 3}, "k is 3; allowed: whole numbers from 1 to 2"),
        ([[1.0, 2.0]], [1, 1], {"k": 0}, "k is 0"),
        ([[1.0, 2.0]], [1, 1], {"gap": -1.0}, "gap is -1"),
        ([[1.0, 2.0]], [1, 1], {"method": "best"}, "'best' is not one of 'auction'"),
        ([[1.0, 2.0]], [1, 1], {"method": "bias", "device": "cuda"}, "no kernel for method 'bias'"),
        ([[1.0, 2.0]], [1, 1], {"device": "tpu"}, "'tpu' is not one of"),
    ],
)
def test_what_is_refused(scores, capacities, options, message):
    with pytest.raises(InputError, match=message):
        route_batch(scores, capacities, **options)
