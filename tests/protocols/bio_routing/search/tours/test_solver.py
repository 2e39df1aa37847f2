"""Ants on tours and the solver: known optima, few and coinciding cities, matrices, bad input."""

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.search.candidates import nearest
from swarmloom_protocols.bio_routing.search.tours.ants import (
    branching,
    closeness,
    lay_tour,
    renew,
)
from swarmloom_protocols.bio_routing.search.tours.distances import Cities, tour_length
from swarmloom_protocols.bio_routing.search.tours.solver import iterated_local_search, solve_tour
from swarmloom_protocols.bio_routing.search.tours.three_opt import roads
from swarmloom_protocols.bio_routing.search.tours.tsplib import read_tsplib

OPTIMA = {"eil51": 426, "berlin52": 7542, "kroA100": 21282}


def plane(n, seed=0):
    return np.random.default_rng(seed).random((n, 2))


def matrix(points):
    return np.hypot(*(points[:, None] - points[None]).T)


@pytest.mark.row("B1")
@pytest.mark.parametrize("method", ["ants", "kicks"])
@pytest.mark.parametrize("name", OPTIMA)
def test_small_public_instances_are_solved(shared_data, name, method):
    instance = read_tsplib(shared_data / "tsplib" / f"{name}.tsp")
    labels = np.random.default_rng(1).permutation(len(instance.points))
    tour = solve_tour(
        instance.points[labels],
        rounding=instance.rounding,
        seconds=60.0,
        seed=1,
        method=method,
        target=1.001 * OPTIMA[name],
    )
    assert instance.length(labels[tour.order]) == tour.length <= 1.001 * OPTIMA[name]
    assert tour.method == method


@pytest.mark.parametrize("method", ["ants", "kicks"])
def test_a_matrix_and_its_points_give_the_same_tour(method):
    points = plane(30)
    by_points = solve_tour(points, seconds=0.2, method=method)
    by_costs = solve_tour(costs=matrix(points), seconds=0.2, method=method)
    assert by_points.length == pytest.approx(by_costs.length)
    assert by_costs.length == pytest.approx(tour_length(by_costs.order, points))


@pytest.mark.parametrize(("n", "length"), [(0, 0.0), (1, 0.0), (2, 2.0), (3, 2 + 2**0.5)])
def test_few_cities_are_solved_exactly(n, length):
    tour = solve_tour([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]][:n])
    assert (tour.method, sorted(tour.order)) == ("exact", list(range(n)))
    assert tour.length == pytest.approx(length)


def test_seven_cities_on_a_circle_are_taken_in_turn():
    angles = 2 * np.pi * np.random.default_rng(2).permutation(7) / 7
    tour = solve_tour(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    assert tour.length == pytest.approx(14 * np.sin(np.pi / 7))


@pytest.mark.parametrize("method", ["ants", "kicks"])
@pytest.mark.parametrize("different", [1, 3])
def test_cities_may_coincide(method, different):
    points = np.repeat(plane(different), 40 // different, axis=0)
    tour = solve_tour(points, seconds=0.05, method=method)
    np.testing.assert_array_equal(np.sort(tour.order), np.arange(len(points)))
    assert tour.length == pytest.approx(solve_tour(plane(different)).length, abs=1e-9)


def test_progress_is_told_and_kept():
    told = []
    tour = solve_tour(plane(200), seconds=0.3, on_progress=told.append)
    lengths = [progress.length for progress in told]
    assert tuple(told) == tour.trace
    assert lengths == sorted(set(lengths), reverse=True)
    assert tour.length == pytest.approx(lengths[-1])


def test_a_target_ends_the_search_and_the_seed_fixes_its_steps():
    points = plane(100, 3)
    good = 1.01 * iterated_local_search(points, seconds=0.3).length
    one, other = (
        solve_tour(points, seconds=60.0, seed=4, target=good, method="ants") for _ in range(2)
    )
    assert one.length <= good
    np.testing.assert_array_equal(one.order, other.order)
    assert [progress.length for progress in one.trace] == [p.length for p in other.trace]


def test_read_only_points_are_left_as_they_are():
    points = plane(50)
    points.flags.writeable = False
    assert len(solve_tour(points, seconds=0.05).order) == 50


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"points": [[0.0, np.nan]]}, r"points\[0, 1\] is nan"),
        ({"costs": [[0.0, -1.0], [-1.0, 0.0]], "points": None}, r"costs\[0, 1\] is -1"),
        ({"seconds": 0.0}, "seconds is 0"),
        ({"seconds": np.nan}, "seconds is nan"),
        ({"method": "bees"}, "method is 'bees'"),
        ({"target": np.nan}, "target is nan"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_bad_arguments_are_refused(changed, message):
    with pytest.raises(InputError, match=message):
        solve_tour(**({"points": plane(20)} | changed))


@pytest.mark.row("B4")
def test_trails_follow_their_recursion_within_bounds():
    points = plane(12)
    ways = roads(Cities.of(points), nearest(points, 11))
    trail, sums = np.full((12, 11), 0.5), np.empty((12, 11))
    near, order = closeness(ways.gaps), np.arange(12, dtype=np.int32)
    for _ in range(3):
        renew(ways.near, trail, near, order, 0.4, 0.1, 0.05, sums)
    on_tour = (abs(ways.near - order[:, None]) % 10) == 1
    assert on_tour.sum() == 24
    # 0.5 → 0.4 → 0.34 → 0.304 and 0.5 → 0.3 → 0.18 → 0.108.
    np.testing.assert_allclose(trail[on_tour], 0.304)
    np.testing.assert_allclose(trail[~on_tour], 0.108)
    np.testing.assert_allclose(sums, np.cumsum(trail * near, axis=1))
    for _ in range(20):
        renew(ways.near, trail, near, order, 0.4, 1.0, 0.05, sums)
    assert (trail[on_tour] == 1.0).all()
    assert (trail[~on_tour] == 0.05).all()
    assert branching(trail) == 2.0


def test_ants_step_in_proportion_to_the_weights():
    points = plane(8)
    ways = roads(Cities.of(points), nearest(points, 7))
    rng = np.random.default_rng(5)
    weights = rng.random((8, 7)) + 0.05
    sums = np.cumsum(weights, axis=1)
    guide = np.arange(8, dtype=np.int32)
    counter, order = np.zeros(1, np.int64), np.empty(8, np.int32)
    visited, jumps = np.empty(8, np.bool_), np.empty((2, 8), np.int32)
    pairs, triples = np.zeros((8, 8)), np.zeros((8, 8, 8))
    for _ in range(40_000):
        lay_tour(
            ways.points,
            ways.costs,
            ways.code,
            ways.near,
            sums,
            guide,
            guide,
            7,
            0,
            counter,
            visited,
            jumps,
            order,
        )
        pairs[order[0], order[1]] += 1
        triples[order[0], order[1], order[2]] += 1
    wanted = np.zeros((8, 8))
    np.put_along_axis(wanted, ways.near.astype(int), weights, axis=1)
    np.testing.assert_allclose(
        pairs / pairs.sum(1, keepdims=True), wanted / wanted.sum(1, keepdims=True), atol=0.03
    )
    # The third city: in proportion among those not visited yet, though draws are made over all.
    third = wanted[1].copy()
    third[[0, 1]] = 0.0
    np.testing.assert_allclose(triples[0, 1] / triples[0, 1].sum(), third / third.sum(), atol=0.1)


@pytest.mark.parametrize("width", [1, 3])
def test_ants_that_find_their_list_exhausted_still_visit_all(width):
    points = plane(300, 8)
    ways = roads(Cities.of(points), nearest(points, width))
    sums = np.cumsum(closeness(ways.gaps), axis=1)
    guide = np.random.default_rng(9).permutation(300).astype(np.int32)
    place = np.argsort(guide).astype(np.int32)
    counter, order = np.zeros(1, np.int64), np.empty(300, np.int32)
    visited, jumps = np.empty(300, np.bool_), np.empty((2, 300), np.int32)
    for stream in range(5):
        lay_tour(
            ways.points,
            ways.costs,
            ways.code,
            ways.near,
            sums,
            guide,
            place,
            7,
            stream,
            counter,
            visited,
            jumps,
            order,
        )
        np.testing.assert_array_equal(np.sort(order), np.arange(300))
