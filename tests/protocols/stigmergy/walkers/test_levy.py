"""Lévy flights: the exponent that is stated is the exponent that is drawn."""

import numpy as np
import pytest
from scipy import stats

from swarmloom import device
from swarmloom.device import use_threads
from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.walkers.levy import fit_exponent, levy_lengths, power_law
from tests.naive import levy as naive

DRAWS = 1_000_000


def misses_by(lengths, exponent, low, high=None):
    """Standard errors between the fitted exponent and the stated one."""
    fit = fit_exponent(lengths, low, high)
    return abs(fit.exponent - exponent) / fit.standard_error


@pytest.mark.row("S9b")
@pytest.mark.parametrize("exponent", [1.5, 2.0, 2.5, 3.0, 3.5])
def test_the_stated_exponent_is_drawn(exponent):
    lengths = levy_lengths(DRAWS, exponent, seed=1)
    assert misses_by(lengths, exponent, 1.0) < 3.0
    sample = naive.distribution(lengths[:100_000], exponent, 1.0)
    assert stats.kstest(sample, "uniform").pvalue > 0.05


@pytest.mark.row("S9b")
@pytest.mark.parametrize("exponent", [1.5, 2.0, 3.0])
def test_the_truncated_law_is_exact_and_needs_its_own_likelihood(exponent):
    lengths = levy_lengths(DRAWS, exponent, min_length=0.5, max_length=100.0, seed=2)
    assert 0.5 <= lengths.min() <= lengths.max() <= 100.0
    assert lengths.max() > 99.0 or exponent == 3.0
    assert misses_by(lengths, exponent, 0.5, 100.0) < 3.0
    sample = naive.distribution(lengths[:100_000], exponent, 0.5, 100.0)
    assert stats.kstest(sample, "uniform").pvalue > 0.05
    if exponent < 3.0:
        assert misses_by(lengths, exponent, 0.5) > 20.0


@pytest.mark.row("S9b")
def test_the_survey_s_tail_exponent_of_one_and_a_half():
    # A tail of l^-1.5 is a density of l^-2.5; its standard error on 2e5 draws is .0034.
    fit = fit_exponent(levy_lengths(200_000, 2.5, seed=3), 1.0)
    assert fit.standard_error == pytest.approx(0.0034, abs=1e-4)
    assert fit.exponent - 1.0 == pytest.approx(1.5, abs=3.0 * fit.standard_error)


@pytest.mark.row("S9b")
def test_the_checks_refuse_a_formula_whose_steps_are_all_one():
    # (1 - u) ** -(1 / mu) of a u that was rounded to 0, as the formula that this replaces has it.
    constant = np.ones(10_000, np.float32)
    with pytest.raises(InputError, match="all are min_length"):
        fit_exponent(constant, 1.0)
    assert stats.kstest(naive.distribution(constant, 1.5, 1.0), "uniform").pvalue < 1e-10


@pytest.mark.row("S9b")
@pytest.mark.parametrize(
    ("exponent", "least", "most"), [(1.5, 1.8, 2.05), (2.5, 1.35, 1.65), (3.5, 0.9, 1.15)]
)
def test_flights_spread_faster_than_diffusion(exponent, least, most):
    """At constant speed the spread grows as t², t^(4 - exponent) or t (Zaburdaev et al. 2015)."""
    rng = np.random.default_rng(5)
    lengths = levy_lengths(400 * 1_000, exponent, max_length=1e4, seed=rng).reshape(400, 1_000)
    flights = lengths * np.exp(1j * rng.uniform(0.0, 2.0 * np.pi, lengths.shape))
    start = [(0, 0), (1, 0)]
    way = np.pad(np.cumsum(lengths, axis=1, dtype=float), start)
    places = np.pad(np.cumsum(flights, axis=1), start)
    times = np.geomspace(10.0, 1e3, 12)
    tracks = [np.interp(times, w, p) for w, p in zip(way, places, strict=True)]
    spread = np.mean(np.abs(tracks) ** 2, axis=0)
    assert least < np.polyfit(np.log(times), np.log(spread), 1)[0] < most


@pytest.mark.parametrize("count", [0, 1, 2, 301])
@pytest.mark.parametrize("high", [None, 30.0])
def test_lengths_equal_the_naive_reference(count, high):
    arguments = (count, 1.7)
    lengths = levy_lengths(*arguments, min_length=0.3, max_length=high, seed=8, device="cpu")
    expected = naive.levy_lengths(*arguments, min_length=0.3, max_length=high, seed=8)
    assert lengths.dtype == np.float32
    np.testing.assert_allclose(lengths, expected, rtol=1e-6)


def test_lengths_do_not_depend_on_threads(monkeypatch):
    monkeypatch.setattr(device, "BAND_ELEMENTS", 300)
    with use_threads(1):
        expected = levy_lengths(2_001, seed=1)
    with use_threads(3):
        np.testing.assert_array_equal(levy_lengths(2_001, seed=1), expected)
    monkeypatch.setattr(device, "BAND_ELEMENTS", 1 << 19)
    np.testing.assert_array_equal(levy_lengths(2_001, seed=1), expected)


def test_a_generator_s_draws_differ_and_a_seed_s_do_not():
    rng = np.random.default_rng(1)
    first, second = levy_lengths(100, seed=rng), levy_lengths(100, seed=rng)
    assert not np.any(first == second)
    np.testing.assert_array_equal(first, levy_lengths(100, seed=1))


def test_the_fit_has_the_greatest_likelihood():
    lengths = levy_lengths(5_000, 1.8, min_length=2.0, max_length=50.0, seed=4).astype(float)
    fit = fit_exponent(lengths, 2.0, 50.0)
    best = naive.log_likelihood(lengths, fit.exponent, 2.0, 50.0)
    for other in (-1e-3, 1e-3):
        assert naive.log_likelihood(lengths, fit.exponent + other, 2.0, 50.0) < best
    # The curvature of the likelihood is the information that the standard error comes from.
    sides = [naive.log_likelihood(lengths, fit.exponent + d, 2.0, 50.0) for d in (-0.01, 0.01)]
    curvature = (2.0 * best - sum(sides)) / 0.01**2
    assert fit.standard_error == pytest.approx(curvature**-0.5, rel=1e-3)


def test_a_law_next_to_one_stays_finite():
    lengths = levy_lengths(100_000, 1.01, seed=1)
    assert np.all(np.isfinite(lengths))
    assert lengths.max() <= 1e38
    # Half of the law is longer than 2^100.
    assert np.median(lengths) == pytest.approx(2.0**100, rel=0.9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"exponent": 1.0}, "exponent is 1.0; allowed: finite, 1.01 to 64"),
        ({"exponent": float("nan")}, "exponent is nan"),
        ({"min_length": 0.0}, "min_length is 0.0; allowed: finite, above 0"),
        ({"max_length": 0.5}, "max_length is 0.5; allowed: above min_length, 1"),
        ({"max_length": float("inf")}, "max_length is inf"),
        ({"count": -1}, "count is -1"),
        ({"device": "tpu"}, "device: 'tpu'"),
    ],
)
def test_bad_laws_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        levy_lengths(**({"count": 3} | arguments))


@pytest.mark.parametrize(
    ("lengths", "high"),
    [([1.0], None), ([1.0, 0.5], None), ([1.0, 3.0], 2.0), ([1.0, np.nan], 2.0)],
)
def test_lengths_that_no_law_gave_are_refused(lengths, high):
    with pytest.raises(InputError, match="lengths: allowed are two or more"):
        fit_exponent(lengths, 1.0, high)


def test_lengths_that_grow_more_frequent_are_refused():
    with pytest.raises(InputError, match="no exponent from 1 to 64"):
        fit_exponent([9.0, 9.5, 10.0], 1.0, 10.0)


def test_the_coefficients_split_the_power_without_loss():
    law = power_law(1.7, 1.0, 100.0).astype(float)
    assert law[4] + law[5] == pytest.approx(1.0 / 0.7, rel=1e-9)
    assert law[2] + law[3] == pytest.approx(1.0, rel=1e-7)
    assert float(law[4] * 2.0**17).is_integer()
