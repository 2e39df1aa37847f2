"""Robust means against plain loops, a general minimiser, and colluding liars."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.robust_means import (
    cluster_mean,
    coordinate_median,
    geometric_median,
    krum,
    multi_krum,
    robust_mean,
    trimmed_mean,
)
from tests.naive import robust_means as naive

ALL = ["coordinate_median", "geometric_median", "trimmed_mean", "krum", "cluster"]
# Half of them on either side: no difference between them is a number.
FARTHEST = [[1.7e308], [-1.7e308], [1.7e308], [-1.7e308]]
POINTS = hnp.arrays(
    np.float64,
    st.tuples(st.integers(3, 9), st.integers(1, 4)),
    elements=st.integers(-20, 20).map(lambda n: n / 4) | st.floats(-5, 5, width=16),
)


@given(POINTS)
def test_coordinate_median_is_the_naive_one(points):
    np.testing.assert_array_equal(coordinate_median(points), naive.coordinate_median(points))


@given(POINTS, st.integers(0, 4))
def test_trimmed_mean_is_the_naive_one(points, faulty):
    faulty = min(faulty, (len(points) - 1) // 2)
    expected = naive.trimmed_mean(points, faulty)
    np.testing.assert_allclose(trimmed_mean(points, faulty), expected, rtol=1e-12, atol=1e-13)


@given(POINTS)
def test_no_point_has_a_smaller_sum_of_distances(points):
    """The minimum may be shared by a segment: sums are compared, not places."""
    found = naive.sum_of_distances(points, geometric_median(points))
    least = naive.sum_of_distances(points, naive.geometric_median(points))
    assert found <= least * (1 + 1e-9) + 1e-12


@pytest.mark.parametrize("shape", [(40, 2), (101, 5), (50, 64), (7, 3)])
def test_geometric_median_equals_weiszfeld_in_numpy(shape):
    points = np.random.default_rng(1).standard_t(2, shape)
    expected = naive.weiszfeld_numpy(points, 1e-13)
    np.testing.assert_allclose(geometric_median(points), expected, atol=2e-9)


def test_geometric_median_of_known_figures():
    triangle = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, math.sqrt(0.75)]])
    np.testing.assert_allclose(geometric_median(triangle), triangle.mean(0), atol=1e-9)
    # An angle of 120 degrees or more is the median itself (Fermat).
    wide = np.array([[0.0, 0.0], [1.0, 0.0], [-1.0, 0.5]])
    np.testing.assert_array_equal(geometric_median(wide), [0.0, 0.0])
    square = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 2.0], [0.0, 2.0]])
    np.testing.assert_allclose(geometric_median(square), [2.0, 1.0], atol=1e-9)
    np.testing.assert_array_equal(geometric_median([[1.0], [2.0], [7.0], [9.0]]), [4.5])
    np.testing.assert_array_equal(geometric_median([[1.0], [2.0], [9.0]]), [2.0])


def test_a_start_on_a_point_that_is_not_the_median_is_left():
    """The mean is the first point, where Weiszfeld's own rounds would stay for ever."""
    points = np.array([[0.0, 0.0], [-1.0, 0.0], [-1.0, 0.1], [-1.0, -0.1], [3.0, 0.0]])
    assert np.abs(points.mean(0)).max() < 1e-15
    found = geometric_median(points)
    assert found[0] < -0.9
    assert naive.sum_of_distances(points, found) == pytest.approx(
        naive.sum_of_distances(points, naive.geometric_median(points)), rel=1e-12
    )


@pytest.mark.parametrize("seed", range(3))
def test_medians_beside_a_point_are_found(seed):
    """One point in a few hundred of coarse ones has its median so near that rounds creep."""
    rng = np.random.default_rng(seed)
    for _ in range(700):
        shape = rng.integers(3, 10), rng.integers(1, 5)
        points, weights = rng.integers(-3, 4, shape) / 4, 1 + np.arange(shape[0]) % 3
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = geometric_median(points, weights, most_iterations=200)
        apart = found - points
        lengths = np.linalg.norm(apart, axis=1)
        here, away = lengths < 1e-9, lengths >= 1e-9
        slope = (weights[away] / lengths[away]) @ apart[away]
        # At the least sum no force is left that the points there do not hold.
        assert np.linalg.norm(slope) <= weights[here].sum() + 1e-6


def test_a_median_beside_a_point_is_exact():
    """Rounds of Weiszfeld's algorithm are a hundredth off after a thousand."""
    points = np.array(
        [[0.75, 0.0, 0.75], [0.75, 0.0, -0.5], [0.25, 0.25, 0.25], [0.5, -0.25, -0.5]]
    )
    weights = np.array([1.0, 2.0, 3.0, 1.0])
    found = geometric_median(points, weights)
    apart = found - points
    slope = (weights / np.linalg.norm(apart, axis=1)) @ apart
    assert np.linalg.norm(slope) < 1e-6
    assert 1e-4 < np.linalg.norm(apart[2]) < 2e-4


@given(POINTS)
def test_weights_are_repetitions(points):
    weights = 1 + np.arange(len(points)) % 3
    repeated = np.repeat(points, weights, axis=0)
    once = naive.sum_of_distances(repeated, geometric_median(points, weights))
    twice = naive.sum_of_distances(repeated, geometric_median(repeated))
    assert once == pytest.approx(twice, rel=1e-9, abs=1e-12)


def test_weight_of_zero_is_absence():
    points = np.random.default_rng(0).normal(size=(20, 3))
    weights = np.r_[np.ones(15), np.zeros(5)]
    np.testing.assert_allclose(
        geometric_median(points, weights), geometric_median(points[:15]), atol=1e-9
    )


def test_too_few_rounds_are_told():
    points = np.random.default_rng(0).normal(size=(20, 3))
    with pytest.warns(RuntimeWarning, match="after 1 rounds"):
        geometric_median(points, most_iterations=1)


@given(POINTS, st.integers(0, 3), st.integers(1, 9))
def test_krum_is_the_naive_one(points, faulty, kept):
    faulty = min(faulty, (len(points) - 3) // 2)
    kept = min(kept, len(points) - faulty)
    # Scores that differ by rounding alone may rank either way.
    points = np.round(points * 4) / 4
    order = naive.krum_order(points, faulty)
    np.testing.assert_array_equal(krum(points, faulty), points[order[0]])
    expected = points[order[:kept]].mean(0)
    np.testing.assert_allclose(multi_krum(points, faulty, kept), expected, atol=1e-12)


@given(POINTS, st.floats(0.3, 4))
@settings(max_examples=40)
def test_cluster_mean_is_the_naive_one(points, radius):
    # No distance of the first round at the radius itself, where rounding decides.
    radius += 0.0123456
    expected = naive.largest_cluster(points, radius)
    np.testing.assert_allclose(cluster_mean(points, radius), expected, atol=1e-9)


def test_the_larger_of_two_camps_wins():
    camps = np.r_[np.zeros((6, 2)), np.full((5, 2), 10.0)] + np.arange(11)[:, None] * 0.01
    np.testing.assert_allclose(cluster_mean(camps), camps[:6].mean(0))
    np.testing.assert_allclose(cluster_mean(camps, 100.0), camps.mean(0))


ERRORS_OF_20 = {
    1: {"mean": 8.0, "coordinate_median": 0.98, "geometric_median": 0.98, "trimmed_mean": 1.06},
    64: {"coordinate_median": 0.998, "geometric_median": 0.897, "trimmed_mean": 1.09},
}


def worst_errors(dimensions, faulty, agents=50, trials=10):
    """Errors in standard deviations of the honest, at the liars' best common place."""
    estimates = {name: lambda p, n=name: robust_mean(p, n, faulty=faulty) for name in ALL}
    estimates |= {"mean": lambda p: p.mean(0), "one krum": lambda p: krum(p, faulty)}
    worst = dict.fromkeys(estimates, 0.0)
    for place in (0.5, 1.0, 1.5, 2.0, 3.0, 6.0, 20.0):
        for name, estimate in estimates.items():
            errors = []
            for trial in range(trials):
                points = np.random.default_rng(trial).normal(size=(agents, dimensions))
                points[:faulty] = place
                errors.append(math.sqrt(np.mean(estimate(points) ** 2)))
            worst[name] = max(worst[name], float(np.mean(errors)))
    return worst


@pytest.mark.parametrize("dimensions", [1, 64])
def test_colluding_liars_move_the_mean_and_hardly_the_others(dimensions):
    """Fifty agents, twenty of them liars at one place, the worst of those tried."""
    worst = worst_errors(dimensions, 20)
    assert worst["mean"] == pytest.approx(8.0, abs=0.1)
    for name, error in ERRORS_OF_20[dimensions].items():
        assert worst[name] == pytest.approx(error, abs=0.2)
    assert worst["one krum"] == pytest.approx(1.98 if dimensions == 64 else 1.75, abs=0.3)
    assert max(error for name, error in worst.items() if name != "mean") < 2.5
    if dimensions == 64:
        assert worst["cluster"] < 0.5 * min(worst["geometric_median"], worst["trimmed_mean"])


@pytest.mark.parametrize("size", [1e9, 1e16, 1e150, 1e300])
def test_breakdown_points(size):
    """A far liar fewer is withstood, one more is not; the mean falls to one."""
    honest = np.random.default_rng(0).normal(size=(21, 3))

    def moved(liars, method, faulty):
        points = np.r_[honest, np.full((liars, 3), size)]
        return np.abs(robust_mean(points, method, faulty=faulty)).max() > 10

    for method in ("coordinate_median", "geometric_median", "cluster"):
        assert not moved(20, method, 0)
        assert moved(22, method, 0)
    assert not moved(20, "trimmed_mean", 20)
    assert moved(6, "trimmed_mean", 5)
    assert not moved(18, "krum", 18)
    assert np.abs(np.r_[honest, [[size] * 3]].mean(0)).max() > 10


SIZES = [10.0**power for power in (6, 12, 16, 20, 100, 155, 200, 300)]


@pytest.mark.parametrize("size", SIZES)
def test_a_liar_of_any_size_leaves_the_honest_as_they_were(size):
    points = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0], [2.5, 0.0], [size, 0.0]])
    np.testing.assert_allclose(geometric_median(points), [2.5, 0.0], rtol=1e-9)
    np.testing.assert_array_equal(coordinate_median(points), [2.5, 0.0])
    np.testing.assert_array_equal(trimmed_mean(points, 1), [2.5, 0.0])
    np.testing.assert_array_equal(multi_krum(points, 1), [2.25, 0.0])
    np.testing.assert_array_equal(cluster_mean(points), points[1:4].mean(0))
    # In one dimension, by weight: the liar's is the largest and less than half.
    line = geometric_median(points[:, :1], [1.0, 1.0, 1.0, 1.0, 3.0])
    np.testing.assert_array_equal(line, [3.0])


@pytest.mark.parametrize("kept", [1, 2, 3, 4])
def test_krum_measures_by_the_farthest_whom_it_may_keep(kept):
    """Against whole numbers, of any size: one far opinion is not left out, a farther liar is."""
    numbers = [0, 1, 2, 10**20, 10**300]
    near = len(numbers) - 1 - 2

    def score(one):
        squares = sorted((one - other) ** 2 for other in numbers)
        return sum(squares[1 : near + 1])

    chosen = sorted(numbers, key=score)[:kept]
    found = multi_krum([[float(number)] for number in numbers], 1, kept)
    np.testing.assert_allclose(found, [sum(chosen) / kept], rtol=1e-15)


@pytest.mark.parametrize("size", SIZES)
def test_liars_in_many_directions_pull_with_their_directions_alone(size):
    """At the least sum, the honest hold what the liars' directions add up to."""
    rng = np.random.default_rng(1)
    honest, ways = rng.normal(size=(21, 3)), rng.normal(size=(20, 3))
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    apart = geometric_median(np.r_[honest, ways * size]) - honest
    forces = (apart / np.linalg.norm(apart, axis=1, keepdims=True)).sum(0)
    np.testing.assert_allclose(forces, ways.sum(0), atol=1e-7 + 20 / size)


@pytest.mark.parametrize("size", SIZES)
def test_more_than_half_at_one_place_hold_it(size):
    points = np.r_[np.full((4, 2), 0.7), [[size, -size], [size, 1.0], [0.0, 1.0]]]
    for method in ("coordinate_median", "geometric_median", "krum", "cluster"):
        found = robust_mean(points, method, faulty=2)
        np.testing.assert_allclose(found, [0.7, 0.7], rtol=1e-12)


def test_far_liars_are_a_cluster_where_they_stand_together_alone():
    honest = np.arange(4.0)[:, None] * 0.1
    together, scattered = np.full((5, 1), 1e200), np.array([[1e200], [2e200], [3e200], [4e200]])
    np.testing.assert_allclose(cluster_mean(np.r_[honest, together], 1.0), [1e200])
    np.testing.assert_allclose(cluster_mean(np.r_[scattered, honest], 1.0), [0.15])


@pytest.mark.parametrize("method", ALL)
class TestEveryMean:
    def test_moves_and_scales_with_the_opinions(self, method):
        points = np.random.default_rng(3).normal(size=(15, 4))
        plain = robust_mean(points, method, faulty=3)
        shifted = robust_mean(points * 1024 + 7, method, faulty=3)
        np.testing.assert_allclose(shifted, plain * 1024 + 7, rtol=1e-7)

    def test_of_one_opinion_is_that_opinion(self, method):
        if method == "krum":
            with pytest.raises(InputError, match="from \\(3, 1\\)"):
                robust_mean([[1.0, 2.0]], method)
        else:
            np.testing.assert_array_equal(robust_mean([[1.0, 2.0]], method), [1.0, 2.0])

    @pytest.mark.parametrize("value", [0.0, -3.7, 1e308, 5e-324])
    def test_of_equal_opinions_is_that_opinion(self, method, value):
        points = np.full((5, 2), value)
        points.flags.writeable = False
        np.testing.assert_allclose(robust_mean(points, method, faulty=1), points[0], rtol=1e-15)

    def test_of_huge_and_tiny_opinions(self, method):
        points = np.random.default_rng(0).normal(size=(11, 3))
        plain = robust_mean(points, method, faulty=2)
        for size in (2.0**1020, 2.0**-1000):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                found = robust_mean(points * size, method, faulty=2)
            np.testing.assert_allclose(found / size, plain, rtol=1e-9)

    def test_refuses_what_is_not_finite(self, method):
        for wrong in (math.nan, math.inf, -math.inf):
            points = np.ones((6, 2))
            points[4, 1] = wrong
            with pytest.raises(InputError, match="row 4 is not finite"):
                robust_mean(points, method, faulty=1)

    @pytest.mark.parametrize("shape", [(0, 3), (3, 0), (4,), (2, 2, 2)])
    def test_refuses_what_is_no_table(self, method, shape):
        with pytest.raises(InputError, match="opinions: shape"):
            robust_mean(np.ones(shape), method)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda p: trimmed_mean(p, 3), "faulty"),
        (lambda p: trimmed_mean(p, -1), "faulty"),
        (lambda p: krum(p, 2), "faulty"),
        (lambda p: multi_krum(p, 1, 6), "kept"),
        (lambda p: geometric_median(p, np.ones(5)), "weights"),
        (lambda p: geometric_median(p, np.zeros(6)), "weights"),
        (lambda p: geometric_median(p, [1, 1, 1, 1, 1, math.nan]), "weights"),
        (lambda p: geometric_median(p, tolerance=0.0), "tolerance"),
        (lambda p: geometric_median(p, most_iterations=0), "most_iterations"),
        (lambda p: cluster_mean(p, 0.0), "radius"),
        (lambda p: robust_mean(p, "mean"), "method"),
        (lambda p: geometric_median([["a"]]), "opinions of type"),
        (lambda p: coordinate_median([[1, 2], [3]]), "rows of equal length"),
        (lambda p: cluster_mean([[1j]]), "opinions of type complex"),
        (lambda p: geometric_median(p, ["a"] * 6), "weights of type"),
        (lambda p: krum(FARTHEST, 0), "1.8e308 apart"),
        (lambda p: cluster_mean(FARTHEST), "1.8e308 apart"),
        (lambda p: cluster_mean(FARTHEST, 1.0), "1.8e308 apart"),
    ],
)
def test_wrong_arguments_are_refused(call, named):
    with pytest.raises(InputError, match=named):
        call(np.random.default_rng(0).normal(size=(6, 2)))


def test_a_liar_beyond_all_numbers_stops_nobody():
    points = np.r_[np.full((4, 1), 1e308) * [[1.0], [0.99], [1.01], [1.0]], [[-1.7e308]]]
    assert 0.99e308 <= krum(points, 1)[0] <= 1.01e308
    assert 0.99e308 <= cluster_mean(points)[0] <= 1.01e308
