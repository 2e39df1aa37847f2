"""Chaotic schedules: their densities, and how they cover space at an equal budget."""

import numpy as np
import pytest
from scipy import stats

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.chaos.exploration import compare_schedules, coverage, schedule

KINDS = ["logistic", "logistic raw", "tent", "lorenz", "uniform", "sobol", "halton"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("count", "dimension"), [(1, 1), (100, 2), (65, 4)])
def test_schedules_lie_in_the_cube_and_repeat_with_their_seed(kind, count, dimension):
    points = schedule(kind, count, dimension, rng=np.random.default_rng(4))
    assert points.shape == (count, dimension)
    assert ((points >= 0) & (points <= 1)).all()
    again = schedule(kind, count, dimension, rng=np.random.default_rng(4))
    np.testing.assert_array_equal(points, again)


@pytest.mark.parametrize("kind", ["logistic", "tent"])
def test_even_density_of_the_transformed_orbits(kind):
    values = schedule(kind, 20_000, 1, rng=np.random.default_rng(0))[::20, 0]
    assert stats.kstest(values, "uniform").pvalue > 0.01
    raw = schedule("logistic raw", 20_000, 1, rng=np.random.default_rng(0))[::20, 0]
    assert stats.kstest(raw, "uniform").pvalue < 1e-6
    assert stats.kstest(raw, "arcsine").pvalue > 0.01


def test_coverage_counts_cells():
    assert coverage([[0.1, 0.1], [0.2, 0.2], [0.9, 0.1], [1.0, 1.0]], 2) == 0.75
    assert coverage(np.empty((0, 2)), 3) == 0.0


@pytest.mark.row("C9")
def test_chaos_covers_no_better_than_noise_and_worse_than_even_sequences():
    found = compare_schedules(1_024, 2, 32, rng=np.random.default_rng(0))
    noise = found["uniform"]
    # A share of 1 − (1 − 1/1024)^1024 of the cells for independent trials.
    assert noise.mean == pytest.approx(0.632, abs=0.01)
    assert found["logistic"].mean == pytest.approx(noise.mean, abs=0.01)
    assert found["tent"].mean == pytest.approx(noise.mean, abs=0.01)
    assert found["logistic raw"].mean < noise.mean - 0.05
    assert found["lorenz"].mean < noise.mean - 0.2
    for even in ("sobol", "halton"):
        assert found[even].mean > noise.mean + 0.1
        assert found[even].discrepancy < 0.1 * noise.discrepancy


def test_unusable_arguments_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="allowed: logistic"):
        schedule("brownian", 5, 1, rng=rng)
    with pytest.raises(InputError, match="count"):
        schedule("tent", 0, 1, rng=rng)
    with pytest.raises(InputError, match="points"):
        coverage([[1.5]], 2)
    with pytest.raises(InputError, match="repeats"):
        compare_schedules(4, 1, 2, rng=rng, repeats=1)
