"""Lyapunov spectra: known values, sum rules, the naive loop, and orbits that rounding spoils."""

import math
import warnings

import numba
import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.chaos import known_systems as known
from swarmloom_protocols.consensus.chaos.lyapunov import kaplan_yorke, lyapunov_spectrum
from swarmloom_protocols.consensus.chaos.systems import user_system
from tests.naive import lyapunov as naive

LN2 = math.log(2)


@pytest.mark.row("C6")
def test_logistic_map_has_ln_2():
    found = lyapunov_spectrum(known.logistic(), steps=1_000_000)
    assert found.exponents[0] == pytest.approx(LN2, abs=1e-4)
    assert 0 < found.standard_errors[0] < 1e-4
    assert (found.kaplan_yorke, found.collapsed, found.period) == (1.0, False, 0)


@pytest.mark.row("C6")
def test_henon_map_and_its_sum_rule():
    found = lyapunov_spectrum(known.henon(), steps=1_000_000)
    np.testing.assert_allclose(found.exponents, [0.4192, -1.6232], atol=1e-3)
    assert found.exponents.sum() == pytest.approx(math.log(0.3), abs=1e-12)
    assert found.kaplan_yorke == pytest.approx(1.2583, abs=1e-3)


@pytest.mark.row("C6")
def test_lorenz_flow_and_its_sum_rule():
    found = lyapunov_spectrum(known.lorenz(), steps=1_500_000, transient=5_000)
    np.testing.assert_allclose(found.exponents, [0.9056, 0.0, -14.5723], atol=3e-3)
    assert found.exponents.sum() == pytest.approx(-41 / 3, abs=3e-4)
    assert abs(found.exponents[0] - 0.9056) < 3 * found.standard_errors[0]
    assert found.kaplan_yorke == pytest.approx(2.062, abs=1e-3)


@pytest.mark.row("C6")
def test_lorenz_exponent_over_eighty_thousand_units_of_time():
    starts = np.random.default_rng(0).uniform([-10, -10, 15], [10, 10, 35], (4, 3))
    found = [lyapunov_spectrum(known.lorenz(), start, 2_000_000, count=1) for start in starts]
    values = np.array([one.exponents[0] for one in found])
    assert abs(values.mean() - 0.9056) <= 1e-3
    # Orbits differ by as much as their own error bars say, to a factor.
    assert 0.3 < values.std(ddof=1) / np.mean([one.standard_errors[0] for one in found]) < 2.0


@pytest.mark.row("C6")
def test_synchronised_maps_have_the_transverse_exponent():
    system = known.coupled_logistic_maps(8, coupling=0.3)
    found = lyapunov_spectrum(system, np.full(8, 0.3), 100_000)
    assert found.exponents[0] == pytest.approx(LN2, abs=1e-3)
    np.testing.assert_allclose(found.exponents[1:], LN2 + math.log(0.7), atol=1e-3)


@pytest.mark.parametrize(
    ("system", "expected", "tolerance"),
    [
        (known.torus(), [0, 0, -2, -2], 1e-4),
        (known.damped_oscillator(1.0, 0.1), [-0.1, -0.1], 1e-3),
        (known.van_der_pol(), [0.0, -1.0594], 2e-3),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_regular_motion_has_no_positive_exponent(system, expected, tolerance):
    found = lyapunov_spectrum(system, steps=300_000, transient=20_000)
    np.testing.assert_allclose(found.exponents, expected, atol=tolerance)


def test_rigid_rotation_has_exponent_zero():
    found = lyapunov_spectrum(known.circle_map(coupling=0.0), steps=10_000)
    assert found.exponents[0] == 0.0
    assert not found.collapsed


@pytest.mark.parametrize(
    "system", [known.henon(), known.lorenz(), known.coupled_logistic_maps(4, coupling=0.2)]
)
def test_equals_the_naive_loop(system):
    found = lyapunov_spectrum(system, steps=300, transient=20)
    expected = naive.spectrum(system, system.start, 300, transient=20)
    np.testing.assert_allclose(found.exponents, expected, atol=1e-6)


def test_fewer_exponents_are_the_first_ones():
    whole = lyapunov_spectrum(known.lorenz(), steps=50_000)
    part = lyapunov_spectrum(known.lorenz(), steps=50_000, count=2)
    np.testing.assert_array_equal(part.exponents, whole.exponents[:2])
    assert math.isnan(lyapunov_spectrum(known.lorenz(), steps=50_000, count=1).kaplan_yorke)
    seldom = lyapunov_spectrum(known.lorenz(), steps=50_000, every=10)
    np.testing.assert_allclose(seldom.exponents, whole.exponents, atol=1e-6)


def test_the_error_bar_holds_the_truth_about_as_often_as_it_should():
    scores = []
    for start in np.random.default_rng(5).uniform(0.05, 0.95, 100):
        found = lyapunov_spectrum(known.logistic(3.999), [start], 20_000)
        scores.append((found.exponents[0], found.standard_errors[0]))
    values, errors = np.array(scores).T
    assert 0.6 < np.mean(errors) / values.std() < 1.6


@pytest.mark.row("C6")
def test_a_collapsed_orbit_is_reported_and_left_out():
    with pytest.warns(RuntimeWarning, match="cycle of period 1 that the equations repel"):
        found = lyapunov_spectrum(known.logistic(), [0.8], 10_000_000)
    assert found.collapsed
    assert found.period == 1
    assert found.steps < 10_000_000
    assert found.exponents[0] == pytest.approx(LN2, abs=1e-4)


def test_an_orbit_that_collapses_at_once_has_no_exponent():
    with pytest.warns(RuntimeWarning, match="those of the 0 steps before"):
        found = lyapunov_spectrum(known.tent(2.0), steps=1_000)
    assert found.collapsed
    assert np.isnan(found.exponents).all()


def test_a_late_short_collapse_is_seen_though_the_run_does_not_close_it():
    # The 54th image of 0.3 is 0; the run ends before Brent's next comparison would be made.
    with pytest.warns(RuntimeWarning, match="repel"):
        found = lyapunov_spectrum(known.tent(2.0), steps=62, transient=0)
    assert found.collapsed
    assert found.steps < 62
    assert found.exponents[0] == pytest.approx(LN2)


def test_a_stable_cycle_is_no_collapse_and_exact():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = lyapunov_spectrum(known.logistic(3.2), steps=100_000)
    # The product of the slopes on the 2-cycle is 4 + 2r − r².
    assert found.exponents[0] == pytest.approx(math.log(abs(4 + 2 * 3.2 - 3.2**2)) / 2, abs=1e-12)
    assert (found.period, found.collapsed, found.standard_errors[0]) == (2, False, 0.0)


def test_an_escaping_orbit_is_reported():
    with pytest.warns(RuntimeWarning, match="leaves all bounds"):
        found = lyapunov_spectrum(known.henon(), [10.0, 10.0], 1_000)
    assert found.escaped
    assert not found.collapsed
    assert np.isnan(found.exponents).all()


def test_superstable_cycles_have_minus_infinity():
    found = lyapunov_spectrum(known.logistic(2.0), [0.5], 1_000)
    assert found.exponents[0] == -math.inf


def test_a_superstable_cycle_of_two_is_exact():
    square = user_system("square", lambda x, p: (x[0] * x[0] - 1.0,), kind="map", start=[0.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = lyapunov_spectrum(square, steps=1_000)
    assert (found.exponents[0], found.period, found.collapsed) == (-math.inf, 2, False)
    assert (found.standard_errors[0], found.kaplan_yorke) == (0.0, 0.0)


def test_an_orbit_through_a_critical_point_alone_has_no_error_bar():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = lyapunov_spectrum(known.logistic(3.9), [0.5], 1_000, transient=0)
    assert found.exponents[0] == -math.inf
    assert math.isnan(found.standard_errors[0])


@pytest.mark.parametrize(
    ("system", "fits", "too_long"),
    [
        (known.henon(), 5, 18),
        (known.logistic(), 100, 2_000),
        (known.logistic(3.2), 100, 2_000),
        (known.lorenz(), 50, 2_000),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_laps_are_short_enough_or_refused(system, fits, too_long):
    often = lyapunov_spectrum(system, steps=20_000).exponents
    seldom = lyapunov_spectrum(system, steps=20_000, every=fits).exponents
    np.testing.assert_allclose(seldom, often, atol=1e-4)
    with pytest.raises(InputError, match=f"every is {too_long}.*allowed: fewer"):
        lyapunov_spectrum(system, steps=20_000, every=too_long)


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")
def test_a_users_map_that_runs_as_plain_python_gives_the_same():
    table = {"r": 3.9}
    with pytest.warns(RuntimeWarning, match="slowly"):
        mine = user_system("mine", lambda x, p: (table["r"] * x[0] * (1 - x[0]),), **MAP)
    slow = lyapunov_spectrum(mine, steps=500, transient=10).exponents
    fast = lyapunov_spectrum(known.logistic(3.9), steps=500, transient=10).exponents
    np.testing.assert_allclose(slow, fast, atol=1e-6)


MAP = {"kind": "map", "start": [0.3]}


@pytest.mark.parametrize(
    ("exponents", "dimension", "expected"),
    [
        ([0.5, -1.0], None, 1.5),
        ([-1.0, 0.5], None, 1.5),
        ([0.9, 0.0, -14.5], None, 2 + 0.9 / 14.5),
        ([-1e-5, -1.0], None, 1.0),
        ([-0.1, -0.2], None, 0.0),
        ([0.1, 0.2], None, 2.0),
        ([0.1], 3, math.nan),
        ([math.nan, 0.1], None, math.nan),
        ([], None, 0.0),
    ],
)
def test_kaplan_yorke(exponents, dimension, expected):
    assert kaplan_yorke(exponents, dimension) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    "change",
    [{"steps": 0}, {"count": 2}, {"every": 0}, {"transient": -1}, {"dt": 0.0}, {"start": [1, 2]}],
)
def test_unusable_arguments_are_refused(change):
    with pytest.raises(InputError):
        lyapunov_spectrum(known.logistic(), **change)
