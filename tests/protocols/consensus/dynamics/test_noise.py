"""Noise: its colours, amplitudes, correlation times and tails."""

import cmath
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.dynamics.levy_stable import stable_variates, tail_index
from swarmloom_protocols.consensus.dynamics.noise import Noise
from swarmloom_protocols.consensus.dynamics.spectra import spectral_slope
from tests.naive import dynamics as naive

COLOURS = ["White", "Pink", "Brownian", "Levy"]
SLOPES = {"White": 0.0, "Pink": -1.0, "Brownian": -2.0}


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.row("C3")
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("colour", SLOPES)
def test_power_falls_as_the_colour_says(colour, streamed):
    noise = Noise(colour, 2.0)
    if streamed:
        series = noise.stream(8, 0.5, rng=rng()).draw(1 << 14)
    else:
        series = noise.sample(1 << 14, 8, 0.5, rng=rng())
    found = spectral_slope(series, 0.5)
    assert found.slope == pytest.approx(SLOPES[colour], abs=0.06)
    assert found.standard_error < 0.03


@pytest.mark.parametrize("colour", ["White", "Pink"])
def test_amplitude_is_the_standard_deviation(colour):
    series = Noise(colour, 3.0).sample(4096, 64, rng=rng(1))
    assert series.std() == pytest.approx(3.0, rel=0.03)


def test_brownian_noise_spreads_with_time():
    ends = Noise("Brownian", 2.0).sample(400, 4000, 0.25, rng=rng(2))[-1]
    assert ends.var() == pytest.approx(2.0**2 * 400 * 0.25, rel=0.1)
    assert abs(ends.mean()) < 1.0


@pytest.mark.row("C3")
@pytest.mark.parametrize(("amplitude", "time", "dt"), [(1.0, 5.0, 0.1), (2.0, 0.5, 1.0)])
def test_a_pulled_back_brownian_has_the_variance_of_ornstein_and_uhlenbeck(amplitude, time, dt):
    series = Noise("Brownian", amplitude, time).sample(4000, 200, dt, rng=rng(3))
    assert series.var() == pytest.approx(amplitude**2 * time / 2, rel=0.05)
    assert series[0].var() == pytest.approx(amplitude**2 * time / 2, rel=0.4)


def test_correlation_time_is_when_a_share_of_one_in_e_is_left():
    series = Noise("White", 1.0, 4.0).sample(50_000, 4, 0.5, rng=rng(4))
    assert series.std() == pytest.approx(1.0, abs=0.05)
    left = (series[8:] * series[:-8]).mean() / series.var()
    assert left == pytest.approx(math.exp(-1), abs=0.04)


def test_pink_noise_is_level_below_its_corner():
    series = Noise("Pink", 1.0, 2.0).sample(1 << 15, 8, rng=rng(5))
    corner = 1 / (2 * math.pi * 2.0)
    assert abs(spectral_slope(series, band=(corner / 64, corner / 2)).slope) < 0.1
    assert spectral_slope(series, band=(corner * 1.2, 0.45)).slope == pytest.approx(-1, abs=0.1)


@pytest.mark.parametrize("colour", COLOURS)
def test_a_stream_does_not_depend_on_how_it_is_cut(colour):
    noise = Noise(colour, 1.5, 3.0)
    whole = noise.stream(2, 0.1, rng=rng(6)).draw(40_000)
    stream = noise.stream(2, 0.1, rng=rng(6))
    parts = [stream.draw(count) for count in (1, 0, 7, 39_992)]
    np.testing.assert_allclose(np.vstack(parts), whole, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("colour", COLOURS)
def test_noise_is_reproducible_and_channels_differ(colour):
    noise = Noise(colour)
    one, two, other = (noise.sample(64, 2, rng=rng(seed)) for seed in (7, 7, 8))
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()
    assert abs(one[:, 0] - one[:, 1]).max() > 0


@pytest.mark.parametrize("colour", COLOURS)
def test_no_amplitude_is_silence(colour):
    assert not Noise(colour, 0.0).sample(50, 3, rng=rng()).any()
    assert Noise(colour).sample(0, 3, rng=rng()).shape == (0, 3)
    assert np.isfinite(Noise(colour).sample(1, 3, rng=rng())).all()


@pytest.mark.row("C3")
@pytest.mark.parametrize("alpha", [0.8, 1.0, 1.2, 1.5])
def test_levy_tails_have_their_index(alpha):
    values = Noise("Levy", 3.0, stability=alpha).sample(300_000, rng=rng(9))
    found = tail_index(values, 1500)
    assert found.index == pytest.approx(alpha, abs=4 * found.standard_error)
    assert found.index == pytest.approx(naive.hill(values.ravel().tolist(), 1500))


@settings(max_examples=25)
@given(st.floats(0.3, 2.0), st.floats(-1, 1), st.floats(0.2, 2.5), st.integers(0, 1000))
def test_stable_values_have_their_characteristic_function(alpha, beta, k, seed):
    if 0 < abs(alpha - 1) < 0.05:
        # tan(πα/2) carries the centre away beyond what a sample can tell.
        alpha = 1.0
    values = stable_variates(alpha, beta, 20_000, rng=rng(seed))
    found = np.exp(1j * k * values).mean()
    assert abs(found - cmath.exp(naive.stable_exponent(k, alpha, beta))) < 5 / math.sqrt(20_000)


def test_known_stable_laws():
    gauss = stable_variates(2.0, 0.0, 20_000, rng=rng(10)) / math.sqrt(2)
    cauchy = stable_variates(1.0, 0.0, 20_000, rng=rng(11))
    levy = stable_variates(0.5, 1.0, 20_000, rng=rng(12))
    assert stats.kstest(gauss, "norm").pvalue > 1e-3
    assert stats.kstest(cauchy, "cauchy").pvalue > 1e-3
    assert stats.kstest(levy, "levy").pvalue > 1e-3


def test_levy_noise_scales_with_its_step():
    coarse = Noise("Levy", 2.0, stability=1.5).sample(50_000, dt=4.0, rng=rng(13)).ravel()
    fine = Noise("Levy", 2.0, stability=1.5).sample(200_000, dt=1.0, rng=rng(14)).ravel()
    assert stats.ks_2samp(coarse, fine.reshape(-1, 4).sum(1)).pvalue > 1e-3
    relaxing = Noise("Levy", 1.0, 5.0, 1.5).sample(200_000, rng=rng(15))
    assert np.cos(relaxing).mean() == pytest.approx(math.exp(-1), abs=0.02)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Noise("Blue"),
        lambda: Noise("White", -1.0),
        lambda: Noise("White", float("nan")),
        lambda: Noise("Pink", 1.0, 0.0),
        lambda: Noise("Levy", stability=2.1),
        lambda: Noise("Levy", stability=0.0),
        lambda: Noise("Levy", skewness=1.1),
        lambda: Noise("White").sample(-1, rng=rng()),
        lambda: Noise("White").sample(1, 0, rng=rng()),
        lambda: Noise("White").sample(1, dt=0.0, rng=rng()),
        lambda: Noise("White").sample(1, rng=0),
        lambda: Noise("White").stream(rng=rng()).draw(1.5),
        lambda: tail_index(np.zeros(100)),
        lambda: tail_index(np.arange(5.0)),
        lambda: tail_index([np.nan] * 100),
        lambda: spectral_slope(np.zeros(500)),
        lambda: spectral_slope(np.arange(10.0)),
        lambda: spectral_slope(np.full(500, np.inf)),
        lambda: spectral_slope(rng().standard_normal(500), band=(0.1, 0.11)),
    ],
)
def test_what_cannot_be_is_refused(make):
    with pytest.raises(InputError, match=r"allowed|values"):
        make()
