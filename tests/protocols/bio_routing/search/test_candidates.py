import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom.device import use_threads
from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.search import candidates
from tests.naive import candidates as naive

# Whole coordinates in a small square: many points coincide or are equally far.
SETS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=60)


@settings(deadline=None, max_examples=60)
@given(SETS, st.integers(4, 24))
def test_lists_are_those_of_looking_at_all_points(pairs, k):
    points = np.array(pairs, float)
    distances = ((points[:, None] - points) ** 2).sum(axis=2)
    for row, (found, expected) in enumerate(
        zip(candidates.nearest(points, k), naive.nearest(points, k), strict=True)
    ):
        # Of those equally far at the end of a list any may be taken.
        np.testing.assert_array_equal(distances[row, found], distances[row, expected])
        assert row not in found
        assert len(set(found.tolist())) == len(found)
    for found, expected in zip(
        candidates.quadrants(points, k), naive.quadrants(points, k), strict=True
    ):
        assert len(found) == len(expected)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 80), st.integers(4, 24), st.integers(0, 1000))
def test_quadrant_lists_of_points_in_clusters(n, k, seed):
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 3, (n, 2)) * [100.0, 1.0] + rng.random((n, 2))
    np.testing.assert_array_equal(candidates.nearest(points, k), np.array(naive.nearest(points, k)))
    np.testing.assert_array_equal(
        candidates.quadrants(points, k), np.array(naive.quadrants(points, k))
    )


def test_quadrants_lead_out_of_a_cluster_that_nearest_stay_in():
    rng = np.random.default_rng(3)
    home = np.arange(100) // 50
    points = rng.random((100, 2)) + home[:, None] * 1000.0
    assert (home[candidates.nearest(points, 20)] == home[:, None]).all()
    leads_out = (home[candidates.quadrants(points, 20)] != home[:, None]).any(axis=1)
    assert leads_out[:50].any()
    assert leads_out[50:].any()


def test_points_on_a_line_or_in_one_place():
    line = np.stack([np.zeros(30), np.arange(30.0)], axis=1)
    np.testing.assert_array_equal(candidates.quadrants(line, 8), np.array(naive.quadrants(line, 8)))
    one_place = np.zeros((12, 2))
    assert candidates.quadrants(one_place, 4).shape == (12, 4)
    assert (candidates.nearest(one_place, 4) != np.arange(12)[:, None]).all()
    assert candidates.nearest([[1.0, 2.0]], 4).shape == (1, 0)
    assert candidates.quadrants([[1.0, 2.0]], 4).shape == (1, 0)
    assert candidates.nearest([[1.0, 2.0], [3.0, 4.0]], 9).tolist() == [[1], [0]]


def test_lists_do_not_depend_on_threads_and_leave_the_points_alone():
    points = np.random.default_rng(1).random((30_000, 2))
    points.setflags(write=False)
    expected = candidates.quadrants(points, 20)
    with use_threads(3):
        np.testing.assert_array_equal(candidates.quadrants(points, 20), expected)


def test_cheapest_of_a_matrix():
    costs = [[0.0, 3.0, 1.0, 1.0], [5.0, 0.0, 4.0, 9.0], [1.0, 1.0, 0.0, 1.0], [7.0, 6.0, 5.0, 0.0]]
    assert candidates.cheapest(costs, 2).tolist() == [[2, 3], [2, 0], [0, 1], [2, 1]]
    assert candidates.cheapest([[np.nan]], 2).shape == (1, 0)
    points = np.random.default_rng(5).random((40, 2))
    matrix = ((points[:, None] - points) ** 2).sum(axis=2)
    np.testing.assert_array_equal(candidates.cheapest(matrix, 7), candidates.nearest(points, 7))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: candidates.nearest([[0.0, 1.0], [np.nan, 0.0]]), r"points\[1, 0\]"),
        (lambda: candidates.quadrants([[0.0, 1.0], [0.0, np.inf]]), r"points\[1, 1\]"),
        (lambda: candidates.quadrants(np.zeros((5, 3))), "plane"),
        (lambda: candidates.nearest(np.zeros(5)), "shape"),
        (lambda: candidates.nearest(np.zeros((5, 2)), 0), "k is 0"),
        (lambda: candidates.quadrants(np.zeros((5, 2)), 3), "from 4"),
        (lambda: candidates.cheapest(np.zeros((2, 3))), "n rows of n"),
        (lambda: candidates.cheapest([[0.0, np.nan], [1.0, 0.0]]), r"costs\[0, 1\]"),
    ],
)
def test_what_is_refused(call, words):
    with pytest.raises(InputError, match=words):
        call()
