"""Exponents from series: the definition by all pairs, known maps, and noise that has none."""

import math

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.chaos import known_systems as known
from swarmloom_protocols.consensus.chaos.lyapunov_series import (
    divergence_curve,
    lyapunov_from_series,
    plateau,
    surrogate,
)
from swarmloom_protocols.consensus.chaos.systems import trajectory
from tests.naive import lyapunov_series as naive


def values_of(system, count, **how):
    return trajectory(system, count, skip=1_000, **how)[:, 0]


@pytest.mark.parametrize(("dimension", "delay", "theiler"), [(1, 1, 0), (2, 1, 10), (3, 4, 30)])
def test_curve_equals_all_pairs(dimension, delay, theiler):
    series = values_of(known.lorenz(), 500, dt=0.03)
    found = divergence_curve(series, 15, dimension=dimension, delay=delay, theiler=theiler)
    expected = naive.divergence_curve(series, 15, dimension, delay, theiler)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.row("C6")
def test_logistic_map_from_data_has_ln_2():
    series = values_of(known.logistic(), 10_000)
    found = lyapunov_from_series(series, 12, dimension=1)
    assert found.exponent == pytest.approx(math.log(2), abs=0.03)
    assert found.plateau == found.fit
    assert found.fit[1] - found.fit[0] >= 4


@pytest.mark.row("C6")
def test_henon_map_from_data():
    found = lyapunov_from_series(values_of(known.henon(), 10_000), 15)
    assert found.exponent == pytest.approx(0.419, abs=0.03)


def test_time_scales_the_exponent():
    series = values_of(known.henon(), 2_000)
    once = lyapunov_from_series(series, fit=(0, 6))
    slow = lyapunov_from_series(series, fit=(0, 6), dt=0.5)
    assert slow.exponent == pytest.approx(2 * once.exponent)
    assert once.exponent == pytest.approx(np.polyfit(range(6), once.curve[:6], 1)[0])


def test_chaos_lies_beyond_its_surrogates_and_noise_does_not():
    chaos = values_of(known.henon(), 1_000)
    rng = np.random.default_rng(0)
    found = lyapunov_from_series(chaos, 12, rng=rng)
    assert found.surrogates.size == 19
    assert found.beyond_surrogates
    beyond = []
    for _ in range(20):
        noise = np.convolve(rng.normal(size=404), [1, 0.7, 0.5, 0.3, 0.1], "valid")
        beyond.append(lyapunov_from_series(noise, 12, fit=(0, 5), rng=rng).beyond_surrogates)
    assert sum(beyond) <= 6


def test_noise_has_no_plateau():
    noise = np.random.default_rng(1).normal(size=2_000)
    found = lyapunov_from_series(noise, 20)
    assert found.plateau is None
    assert found.fit == (0, 20)
    assert not found.beyond_surrogates


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        (np.arange(9.0), (0, 9)),
        ([0, 3, 4, 5, 6, 7, 7, 7, 7], (1, 6)),
        (np.zeros(9), None),
        (-np.arange(9.0), None),
        ([0, 1, 2, 3], None),
        ([], None),
    ],
)
def test_plateaus(curve, expected):
    assert plateau(curve) == expected


def test_surrogates_keep_values_and_spectrum():
    series = values_of(known.lorenz(), 1_024, dt=0.05)
    other = surrogate(series, np.random.default_rng(2))
    np.testing.assert_array_equal(np.sort(other), np.sort(series))
    power, kept = (abs(np.fft.rfft(x - x.mean())) ** 2 for x in (series, other))
    assert abs(power - kept).sum() < 0.05 * power.sum()
    assert abs(np.corrcoef(series, other)[0, 1]) < 0.5


def test_coinciding_pairs_are_left_out():
    series = np.tile([0.0, 1.0, 3.0], 40)
    found = lyapunov_from_series(series, 5, theiler=1)
    assert np.isneginf(found.curve).all()
    assert math.isnan(found.exponent)
    assert not found.beyond_surrogates


def test_unusable_arguments_are_refused():
    series = values_of(known.henon(), 60)
    with pytest.raises(InputError, match="more are needed"):
        divergence_curve(series, 45)
    for change in ({"fit": (3, 4)}, {"fit": (0, 21)}, {"dt": 0.0}, {"surrogates": -1}):
        with pytest.raises(InputError):
            lyapunov_from_series(series, 20, **change)
    with pytest.raises(InputError, match="one"):
        lyapunov_from_series(np.ones((60, 2)))
