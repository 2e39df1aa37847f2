"""Presets: fronts, states, patterns, wavelengths and limit cycles that theory or SciPy know."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.integrate import solve_ivp

from swarmloom import device
from swarmloom.device import use_threads
from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.field.boundaries import boundary_codes
from swarmloom_protocols.stigmergy.field.presets import (
    GRAY_SCOTT_REGIMES,
    fisher_kpp_steps,
    fitzhugh_nagumo_steps,
    gray_scott_start,
    gray_scott_states,
    gray_scott_steps,
    turing_wavelength,
)
from tests.naive import reactions as naive

SIDES = st.sampled_from(
    [
        "reflecting",
        "periodic",
        "absorbing",
        ("reflecting", "absorbing"),
        ("absorbing", "reflecting"),
    ]
)


# -- Fisher–KPP ---------------------------------------------------------------------------------


def front(row, level=0.5):
    """Where a falling front passes a level, between cells."""
    last = int(np.flatnonzero(row > level)[-1])
    return last + (row[last] - level) / (row[last] - row[last + 1])


@pytest.mark.row("S6")
@pytest.mark.parametrize(("growth", "diffusion"), [(0.04, 1.0), (0.02, 2.0)])
def test_fisher_fronts_run_at_twice_the_root_with_the_bramson_lag(growth, diffusion):
    field = np.zeros((1, 1600), np.float32)
    field[0, :20] = 1.0
    early, late = 400.0, 1600.0
    field = fisher_kpp_steps(field, growth, diffusion, dt=0.2, steps=int(early / 0.2))
    start = front(field[0])
    field = fisher_kpp_steps(field, growth, diffusion, dt=0.2, steps=int((late - early) / 0.2))
    speed = (front(field[0]) - start) / (late - early)
    limit = 2.0 * math.sqrt(growth * diffusion)
    lag = 1.5 * math.sqrt(diffusion / growth) * math.log(late / early) / (late - early)
    assert speed == pytest.approx(limit - lag, rel=0.01)
    # The lag is seen: without it the prediction is off.
    assert speed < limit * 0.985


@pytest.mark.row("S6")
def test_without_diffusion_growth_is_logistic():
    start = np.float32([[0.01, 0.3, 2.5, 0.0]])
    end = fisher_kpp_steps(start, 0.8, 0.0, capacity=1.5, dt=0.001, steps=4000)
    expected = 1.5 / (1.0 + (1.5 / np.maximum(start, 1e-30) - 1.0) * math.exp(-0.8 * 4.0))
    np.testing.assert_allclose(end[0, :3], expected[0, :3], rtol=2e-3)
    assert end[0, 3] == 0.0


@pytest.mark.parametrize(("fullest", "capacity"), [(0.5, 1.0), (6.0, 1.0), (6.0, 3.0), (6.0, 8.0)])
def test_the_longest_fisher_step_counts_with_the_fullest_cell(fullest, capacity):
    growth, diffusion = 2.0, 0.4
    start = np.full((4, 5), 0.1, np.float32)
    start[1, 2] = fullest
    longest = 1.0 / (4.0 * diffusion + growth * max(1.0, fullest / capacity))
    given = start, growth, diffusion, capacity
    assert fisher_kpp_steps(*given, dt=longest).min() >= 0.0
    with pytest.raises(InputError, match=f"at most {str(longest)[:7]}"):
        fisher_kpp_steps(*given, dt=1.001 * longest)


def test_fisher_amounts_stay_between_nothing_and_the_fullest():
    start = 3.0 * np.random.default_rng(0).random((20, 30), np.float32)
    for steps in (1, 10, 200):
        end = fisher_kpp_steps(start, 1.0, 0.5, dt=1.0 / (2.0 + 3.0), steps=steps)
        assert end.min() >= 0.0
        assert end.max() <= start.max()
    np.testing.assert_allclose(end, 1.0, rtol=1e-5)


# -- Gray–Scott ---------------------------------------------------------------------------------


@pytest.mark.row("S6")
@given(st.floats(0.005, 0.2), st.floats(0.0, 0.1))
@settings(deadline=None, max_examples=40)
def test_a_second_uniform_state_exists_only_where_feed_is_enough(feed, kill):
    states = gray_scott_states(feed, kill)
    assert (len(states) > 1) == (feed >= 4.0 * (feed + kill) ** 2)
    assert states[0] == (1.0, 0.0)
    for u, v in states:
        assert feed * (1.0 - u) == pytest.approx(u * v * v, abs=1e-12)
        assert u * v * v == pytest.approx((feed + kill) * v, abs=1e-12)
        start = np.empty((2, 3, 4), np.float32)
        start[0], start[1] = u, v
        end = gray_scott_steps(start, feed, kill, dt=0.9, steps=3)
        np.testing.assert_allclose(end, start, rtol=1e-5, atol=1e-6)


@pytest.mark.row("S6")
@pytest.mark.parametrize(("feed", "kill"), [(0.0367, 0.0649), (0.0545, 0.062), (0.2, 0.01)])
def test_the_trivial_state_returns_from_small_disturbances(feed, kill):
    rng = np.random.default_rng(0)
    start = np.stack((1.0 - 0.05 * rng.random((16, 16)), 0.05 * rng.random((16, 16))))
    end = gray_scott_steps(start, feed, kill, dt=0.9, boundaries="periodic", steps=3000)
    np.testing.assert_allclose(end[0], 1.0, atol=1e-5)
    np.testing.assert_allclose(end[1], 0.0, atol=1e-5)


@pytest.mark.row("S6")
def test_spots_and_coral_are_told_apart():
    found = {}
    for name, regime in GRAY_SCOTT_REGIMES.items():
        start = gray_scott_start((160, 160), np.random.default_rng(7), seeds=12)
        v = gray_scott_steps(start, *regime, boundaries="periodic", steps=6000)[1]
        labels, count = ndimage.label(v > 0.5 * v.max())
        found[name] = count, np.bincount(labels.ravel())[1:].max(), v.var()
    (spots, largest_spot, spot_variance), (corals, largest_coral, coral_variance) = (
        found[name] for name in ("replicating spots", "coral")
    )
    # The spots have divided; the coral has grown together and fills the grid.
    assert spots > 2 * 12
    assert corals < 2 * 12
    assert largest_spot < 200
    assert largest_coral > 1000
    assert coral_variance > 1.3 * spot_variance > 1.3 * 0.005


def test_gray_scott_never_falls_below_nothing():
    rng = np.random.default_rng(1)
    start = np.stack((rng.random((12, 12)), 50.0 * rng.random((12, 12)))).astype(np.float32)
    for steps in (1, 2, 5, 50):
        end = gray_scott_steps(start, 0.03, 0.06, steps=steps, boundaries="absorbing")
        assert end.min() >= 0.0
        assert np.isfinite(end).all()
    # Without feed and kill u + v is only moved about.
    still = gray_scott_steps(start, 0.0, 0.0, (0.2, 0.2), steps=200)
    assert still.sum(dtype=float) == pytest.approx(start.sum(dtype=float), rel=1e-6)


# -- FitzHugh–Nagumo ----------------------------------------------------------------------------


def fitzhugh(t, state, epsilon, a, b, current):
    u, w = state
    return [u - u**3 / 3 - w + current, epsilon * (u + a - b * w)]


@pytest.mark.row("S6")
def test_a_stimulated_cell_follows_its_limit_cycle():
    constants = 0.08, 0.7, 0.8, 0.5
    start = np.float32([-1.0, 1.0])
    exact = solve_ivp(
        fitzhugh, (0, 100), start, args=constants, rtol=1e-9, atol=1e-9, dense_output=True
    )
    field = start.reshape(2, 1, 1)
    for quarter in range(1, 5):
        field = fitzhugh_nagumo_steps(field, *constants, (0.0, 0.0), dt=0.001, steps=25000)
        np.testing.assert_allclose(field.ravel(), exact.sol(25.0 * quarter), atol=0.02)
    late = exact.sol(np.linspace(50, 100, 500))[0]
    assert late.max() - late.min() > 3.0


def reach(current, recovery):
    """The root of U³/3 − U = |I| + max|w|, at least 3."""
    roots = np.roots([1.0 / 3.0, 0.0, -1.0, -abs(current) - recovery])
    return max(3.0, max(root.real for root in roots if abs(root.imag) < 1e-9))


@pytest.mark.parametrize(
    ("current", "recovery"), [(100.0, 0.0), (-100.0, 0.0), (0.0, 90.0), (40.0, 30.0)]
)
def test_strong_stimuli_need_short_steps(current, recovery):
    start = np.zeros((2, 2, 3), np.float32)
    start[1, 0, 0] = recovery
    # So slow that w stays what it is.
    slow = {"epsilon": 1e-9, "current": current, "diffusion": (0.0, 0.0)}
    longest = 1.0 / reach(current, recovery) ** 2
    for dt in (0.1, 1.001 * longest):
        with pytest.raises(InputError, match=f"at most {str(longest)[:7]}"):
            fitzhugh_nagumo_steps(start, dt=dt, steps=5, **slow)
    end = fitzhugh_nagumo_steps(start, dt=0.99 * longest, steps=5000, **slow)
    assert np.isfinite(end).all()
    u, w = end.astype(float)
    np.testing.assert_allclose(u - u**3 / 3 - w + current, 0.0, atol=1e-3)


def steps_if_allowed(*given, **options):
    try:
        return fitzhugh_nagumo_steps(*given, **options)
    except InputError:
        return None


@given(
    st.integers(0, 2**31),
    st.floats(-100.0, 100.0),
    st.floats(0.0, 100.0),
    st.floats(-100.0, 100.0),
    st.floats(0.0, 5.0),
    st.floats(1e-3, 1e5),
    st.floats(0.0, 50.0),
)
@settings(deadline=None, max_examples=60)
def test_no_step_that_is_allowed_is_unstable(seed, current, height, a, b, epsilon, spread):
    start = height * np.random.default_rng(seed).uniform(-1.0, 1.0, (2, 4, 5))
    given = start, epsilon, a, b, current, (spread, 0.5 * spread)
    ends = ((dt, steps_if_allowed(*given, dt=dt, steps=40)) for dt in 0.8 ** np.arange(90))
    dt, end = next(found for found in ends if found[1] is not None)
    assert np.isfinite(end).all()
    # The longest step is at most 1 / U² for the U that |u| never exceeds.
    assert np.abs(end[0]).max() <= 1.0 / math.sqrt(dt) * (1.0 + 1e-4)


@pytest.mark.row("S6")
def test_a_resting_cell_is_excitable():
    rest = solve_ivp(fitzhugh, (0, 500), [-1.2, -0.6], args=(0.08, 0.7, 0.8, 0.0), rtol=1e-9).y[
        :, -1
    ]
    peaks = []
    for push in (0.2, 0.8):
        field = np.add(rest, (push, 0.0)).reshape(2, 1, 1)
        heights = []
        for _ in range(60):
            field = fitzhugh_nagumo_steps(field, diffusion=(0.0, 0.0), dt=0.01, steps=50)
            heights.append(float(field[0, 0, 0]))
        peaks.append(max(heights))
    assert peaks[0] < 0.0
    assert peaks[1] > 1.5


@pytest.mark.row("S6")
def test_an_excited_stripe_sends_waves_across_the_grid():
    field = np.empty((2, 1, 200), np.float32)
    field[0], field[1] = -1.1994, -0.6243
    field[0, :, :10] = 1.5
    peaks = np.full(200, -9.0)
    times = np.zeros(200)
    for step in range(600):
        field = fitzhugh_nagumo_steps(field, diffusion=(1.0, 0.0), dt=0.05, steps=10)
        times[field[0, 0] > peaks] = 0.5 * step
        peaks = np.maximum(peaks, field[0, 0])
    # A travelling wave keeps its height and its speed; a blur would lose both.
    assert peaks[60:190].min() > 1.5
    speeds = 60.0 / (times[[100, 180]] - times[[40, 120]])
    assert speeds[0] == pytest.approx(speeds[1], rel=0.03)


@pytest.mark.row("S6")
def test_the_turing_wavelength_is_that_of_linear_stability():
    epsilon, b, diffusion = 2.4, 0.5, (1.5, 13.0)
    expected = turing_wavelength([[1.0, -1.0], [epsilon, -epsilon * b]], diffusion)
    rng = np.random.default_rng(0)
    start = rng.normal(0.0, 0.01, (2, 128, 128)).astype(np.float32)
    end = fitzhugh_nagumo_steps(
        start, epsilon, 0.0, b, 0.0, diffusion, dt=0.018, steps=6000, boundaries="periodic"
    )[0]
    assert end.std() > 0.1
    power = np.abs(np.fft.fft2(end - end.mean())) ** 2
    along = np.fft.fftfreq(128)
    wave = np.hypot(*np.meshgrid(along, along))
    measured = 1.0 / (np.sum(power * wave) / np.sum(power))
    assert measured == pytest.approx(expected, rel=0.1)


def test_no_wave_grows_without_unequal_diffusion():
    jacobian = [[1.0, -1.0], [2.4, -1.2]]
    assert turing_wavelength(jacobian, (1.0, 1.0)) is None
    assert turing_wavelength(jacobian, (1.0, 6.9)) is None
    # d_c = (√det + √(det + ε·b))² = 6.99 for these slopes.
    assert turing_wavelength(jacobian, (1.0, 7.1)) == pytest.approx(
        2 * math.pi * (7.1 / 1.2) ** 0.25, rel=0.02
    )


# -- all ----------------------------------------------------------------------------------------


@given(
    st.integers(0, 2**31),
    st.sampled_from([(1, 1), (1, 5), (4, 1), (5, 6), (1, 3, 4), (2, 3, 4)]),
    SIDES,
    SIDES,
    SIDES,
)
@settings(deadline=None, max_examples=50)
def test_steps_equal_the_naive_reference(seed, shape, side_z, side_y, side_x):
    rng = np.random.default_rng(seed)
    start = rng.random((2, *shape)).astype(np.float32)
    start.flags.writeable = False
    sides = {"y": side_y, "x": side_x, "z": side_z}
    # A plane has no sides along z.
    codes = boundary_codes(sides | ({"z": "reflecting"} if len(shape) == 2 else {}))
    end = gray_scott_steps(start, 0.04, 0.06, (0.15, 0.1), 0.9, 3, sides)
    expected = naive.gray_scott_steps(start, 0.04, 0.06, (0.15, 0.1), 0.9, 3, codes)
    np.testing.assert_allclose(end, expected, rtol=1e-5, atol=1e-6)
    end = fitzhugh_nagumo_steps(start, 0.1, 0.7, 0.8, 0.3, (1.0, 0.2), 0.06, 3, sides)
    expected = naive.fitzhugh_nagumo_steps(start, 0.1, 0.7, 0.8, 0.3, (1.0, 0.2), 0.06, 3, codes)
    np.testing.assert_allclose(end, expected, rtol=1e-5, atol=1e-6)
    end = fisher_kpp_steps(start[0], 0.5, 0.9, 1.2, 0.1, 3, sides, axes=len(shape))
    expected = naive.fisher_kpp_steps(start[0], 0.5, 0.9, 1.2, 0.1, 3, codes)
    np.testing.assert_allclose(end, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("threads", [1, 3])
def test_results_do_not_depend_on_threads(threads, monkeypatch):
    start = gray_scott_start((40, 50), np.random.default_rng(0))
    expected = gray_scott_steps(start, 0.04, 0.06, steps=20)
    monkeypatch.setattr(device, "BAND_ELEMENTS", 500)
    with use_threads(threads):
        np.testing.assert_array_equal(gray_scott_steps(start, 0.04, 0.06, steps=20), expected)


@pytest.mark.parametrize(
    ("jacobian", "diffusion", "name"),
    [
        ([[1.0, -1.0], [2.4, -1.2]], (math.nan, 1.0), "diffusion is nan"),
        ([[1.0, -1.0], [2.4, -1.2]], (1.0, -10.0), "diffusion is -10.0"),
        ([[1.0, -1.0], [2.4, -1.2]], (1.0, math.inf), "diffusion is inf"),
        ([[1.0, -1.0], [2.4, -1.2]], 1.0, "diffusion: shape"),
        ([[1.0, math.nan], [2.4, -1.2]], (1.0, 1.0), "jacobian"),
        ([[1.0, -1.0]], (1.0, 1.0), "jacobian"),
    ],
)
def test_impossible_slopes_and_coefficients_are_refused(jacobian, diffusion, name):
    with pytest.raises(InputError, match=name):
        turing_wavelength(jacobian, diffusion)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"noise": 5.0}, "noise is 5.0"),
        ({"noise": -0.1}, "noise is -0.1"),
        ({"seeds": 1.5}, "seeds is 1.5"),
        ({"seeds": -1}, "seeds is -1"),
        ({"shape": (4.5, 4)}, "shape is 4.5"),
        ({"shape": (5,)}, "shape"),
    ],
)
def test_starts_that_no_step_would_take_are_refused(options, name):
    with pytest.raises(InputError, match=name):
        gray_scott_start(**{"shape": (9, 9), "rng": np.random.default_rng(0)} | options)
    loud = gray_scott_start((9, 9), np.random.default_rng(0), noise=1.0)
    assert gray_scott_steps(loud, 0.03, 0.06).min() >= 0.0


def test_no_denormals_after_long_idle_times():
    start = np.zeros((2, 20, 20), np.float32)
    start[1, 0, 0] = 1e-25
    end = gray_scott_steps(start, 0.03, 0.06, steps=400)
    assert not ((end > 0) & (end < np.finfo(np.float32).smallest_normal)).any()
    assert not end[1].any()


def test_the_start_has_seeds_and_is_reproducible():
    one, same = (gray_scott_start((30, 40), np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one, same)
    assert 0 < (one[1] > 0.1).sum() < 30 * 40 / 2
    assert gray_scott_start((4, 30, 40), np.random.default_rng(3)).shape == (2, 4, 30, 40)


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (gray_scott_steps, {"dt": 1.2}, r"dt is 1\.2; allowed: above 0, at most 1\.151"),
        (gray_scott_steps, {"feed": -0.1}, "feed is -0.1"),
        (gray_scott_steps, {"kill": math.nan}, "kill is nan"),
        (gray_scott_steps, {"diffusion": (0.1, -1.0)}, "diffusion is -1.0"),
        (gray_scott_steps, {"diffusion": (0.1,)}, "diffusion: .* is not a pair"),
        (gray_scott_steps, {"amounts": np.ones((3, 4, 4))}, r"shape \(3, 4, 4\)"),
        (gray_scott_steps, {"amounts": -np.ones((2, 4, 4))}, "amounts lie between -1"),
        (fitzhugh_nagumo_steps, {"dt": 0.08}, r"dt is 0\.08; allowed: above 0, at most 0\.0769"),
        (fitzhugh_nagumo_steps, {"amounts": np.full((2, 1, 1), 101.0)}, "amounts"),
        (fitzhugh_nagumo_steps, {"amounts": np.full((2, 1, 1), math.nan)}, "between nan"),
        (fitzhugh_nagumo_steps, {"epsilon": 0.0}, "epsilon is 0.0"),
        (fitzhugh_nagumo_steps, {"steps": -3}, "steps is -3"),
        (fisher_kpp_steps, {"growth": 0.0}, "growth is 0.0"),
        (fisher_kpp_steps, {"dt": 0.3}, r"dt is 0\.3; allowed"),
        (fisher_kpp_steps, {"capacity": -1.0}, "capacity is -1.0"),
        (fisher_kpp_steps, {"boundaries": "open"}, "boundaries"),
    ],
)
def test_unusable_arguments_are_refused(function, options, message):
    usual = {
        gray_scott_steps: {"feed": 0.03, "kill": 0.06},
        fitzhugh_nagumo_steps: {},
        fisher_kpp_steps: {"growth": 0.5},
    }[function]
    amounts = np.ones((4, 4) if function is fisher_kpp_steps else (2, 4, 4))
    with pytest.raises(InputError, match=message):
        function(**{"amounts": amounts, **usual, **options})
