"""Delay embedding and the helpers around it, against plain loops and known systems."""

import math

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.chaos import known_systems as known
from swarmloom_protocols.consensus.chaos.embedding import (
    autocorrelation,
    autocorrelation_delay,
    embed,
    false_neighbours,
    nearest_apart,
    suggest_dimension,
)
from swarmloom_protocols.consensus.chaos.systems import trajectory


def test_delay_vectors():
    assert embed([0, 1, 2, 3, 4], 2, 3).tolist() == [[0, 3], [1, 4]]
    assert embed([[0, 5], [1, 6], [2, 7]], 2).tolist() == [[0, 5, 1, 6], [1, 6, 2, 7]]
    assert embed([7.0], 1).tolist() == [[7.0]]


def test_autocorrelation_is_the_plain_sum():
    series = np.random.default_rng(0).normal(size=50)
    away = series - series.mean()
    expected = [away[: 50 - lag] @ away[lag:] / (away @ away) for lag in range(50)]
    np.testing.assert_allclose(autocorrelation(series), expected, atol=1e-12)


def test_delay_of_a_sine_is_where_its_cosine_falls_below_the_level():
    series = np.sin(2 * np.pi * np.arange(4_000) / 100)
    assert autocorrelation_delay(series) == math.ceil(100 * math.acos(1 / math.e) / (2 * math.pi))
    assert autocorrelation_delay(np.random.default_rng(0).normal(size=500)) == 1


@pytest.mark.parametrize("theiler", [0, 3, 20])
def test_nearest_neighbours_equal_all_pairs(theiler):
    points = np.random.default_rng(1).normal(size=(60, 2)).cumsum(axis=0)
    rows = np.arange(60)
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    apart[abs(rows[:, None] - rows) <= theiler] = np.inf
    distances, neighbours = nearest_apart(points, theiler)
    np.testing.assert_allclose(distances, apart.min(axis=1))
    np.testing.assert_array_equal(neighbours, apart.argmin(axis=1))


def test_no_neighbour_far_enough_away():
    distances, _ = nearest_apart(np.arange(5.0)[:, None], 4)
    assert np.isinf(distances).all()
    assert math.isnan(false_neighbours(np.arange(5.0), 1, theiler=10))


@pytest.mark.parametrize(
    ("system", "delay", "dimension"),
    [(known.logistic(), 1, 1), (known.henon(), 1, 2), (known.lorenz(), 10, 3)],
    ids=lambda value: getattr(value, "name", ""),
)
def test_dimensions_of_known_systems(system, delay, dimension):
    series = trajectory(system, 5_000, dt=0.02, skip=1_000)[:, 0]
    assert suggest_dimension(series, delay, theiler=5) == dimension


def test_unusable_series_are_refused():
    for series in ([], [math.inf], np.ones((2, 2, 2))):
        with pytest.raises(InputError, match="series"):
            embed(series, 1)
    with pytest.raises(InputError, match="at least 5"):
        embed([1.0, 2.0, 3.0, 4.0], 3, 2)
    with pytest.raises(InputError, match="constant"):
        autocorrelation(np.ones(5))
    with pytest.raises(InputError, match="one"):
        autocorrelation(np.ones((5, 2)))
