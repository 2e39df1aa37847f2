"""Integrators: their orders, energies, budgets and ends."""

import math

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.chaos import known_systems as known
from swarmloom_protocols.consensus.chaos.systems import user_system
from swarmloom_protocols.consensus.dynamics.integrators import simulate
from swarmloom_protocols.consensus.dynamics.langevin import coast
from swarmloom_protocols.consensus.dynamics.potential import double_well
from tests.naive import dynamics as naive

OSCILLATOR = known.damped_oscillator(1.0, 0.0)
WELL = known.double_well(0.0)
SYMPLECTIC = ["StormerVerlet", "Yoshida4"]
STEPS = {"StormerVerlet": naive.verlet, "Yoshida4": naive.yoshida}


def explode(state, parameters):
    return (state[0] * state[0],)


def nonsense(state, parameters):
    # Fine at the start, no number from 0.5 on.
    return (1.0 + 0.0 * math.sqrt(max(0.5 - state[0], 0.0)) / (0.5 - state[0]) ** 0.5,)


EXPLOSION = user_system("explosion", explode, kind="flow", start=[1.0])
NONSENSE = user_system("nonsense", nonsense, kind="flow", start=[0.0])


def order(method, counts):
    """The slope of log error on log step."""
    duration, errors = 2.0, []
    for count in counts:
        run = simulate(OSCILLATOR, duration, dt=duration / count, method=method)
        errors.append(math.dist(run.states[-1], (math.cos(duration), -math.sin(duration))))
    return np.polyfit(np.log(counts), -np.log(errors), 1)[0]


@pytest.mark.row("C3")
@pytest.mark.parametrize(
    ("method", "expected"), [("RungeKutta4", 4), ("StormerVerlet", 2), ("Yoshida4", 4)]
)
def test_errors_fall_with_the_order_of_the_method(method, expected):
    assert order(method, [20, 40, 80, 160]) == pytest.approx(expected, abs=0.1)


def test_runge_kutta_takes_the_steps_written_down():
    run = simulate(known.van_der_pol(1.3), 0.5, dt=0.1)
    state = list(known.van_der_pol().start)
    for row in run.states:
        np.testing.assert_allclose(row, state, rtol=1e-13)
        state = naive.runge_kutta(lambda x: (x[1], 1.3 * (1 - x[0] ** 2) * x[1] - x[0]), state, 0.1)


@pytest.mark.parametrize("method", SYMPLECTIC)
def test_symplectic_steps_are_the_ones_written_down(method):
    run = simulate(WELL, 1.0, start=[0.3, 0.4], dt=0.1, method=method)
    places, speeds = coast(double_well(), [[0.3]], [[0.4]], 10, dt=0.1, method=method)
    q, v = 0.3, 0.4
    for row in range(11):
        np.testing.assert_allclose(run.states[row], (q, v), rtol=1e-12)
        np.testing.assert_allclose((places[row, 0, 0], speeds[row, 0, 0]), (q, v), rtol=1e-12)
        q, v = STEPS[method](lambda x: x - x**3, q, v, 0.1)


@pytest.mark.row("C3")
@pytest.mark.parametrize(("method", "band"), [("StormerVerlet", 3e-3), ("Yoshida4", 1e-4)])
def test_energy_stays_in_a_band_for_a_hundred_thousand_steps(method, band):
    run = simulate(WELL, 1e4, start=[0.5, 0.6], dt=0.1, method=method)
    assert run.steps == 100_000
    x, v = run.states.T
    energy = v**2 / 2 - x**2 / 2 + x**4 / 4
    assert abs(energy - energy[0]).max() < band
    # No drift: the late band is the early one.
    early, late = np.ptp(energy[:10_000]), np.ptp(energy[-10_000:])
    assert late == pytest.approx(early, rel=0.05)


def test_runge_kutta_drifts_where_symplectic_steps_do_not():
    energies = {}
    for method in ("RungeKutta4", "Yoshida4"):
        run = simulate(OSCILLATOR, 2e4, dt=0.2, method=method, every=100)
        energies[method] = (run.states**2).sum(axis=1)[-1]
    # Each step multiplies the amplitude by 1 − dt⁶/144, to leading order.
    lost = math.exp(-1e5 * 0.2**6 / 72)
    assert energies["RungeKutta4"] == pytest.approx(lost, rel=0.01)
    assert energies["Yoshida4"] == pytest.approx(1.0, abs=1e-3)


def test_adaptive_steps_keep_their_tolerance():
    run = simulate(OSCILLATOR, 20.0, dt=0.5, method="Adaptive", tolerance=1e-10)
    np.testing.assert_allclose(run.states[:, 0], np.cos(run.times), atol=1e-8)
    assert run.outcome == "Complete"
    assert run.times[-1] == 20.0
    assert run.steps < 100


@pytest.mark.row("C3")
@pytest.mark.parametrize("method", ["RungeKutta4", "Adaptive"])
def test_an_escape_ends_a_run(method):
    run = simulate(EXPLOSION, 2.0, dt=0.001, method=method, bound=100.0)
    assert run.outcome == "Escaped"
    # x = 1/(1 − t): 100 at t = 0.99.
    assert run.times[-1] == pytest.approx(0.99, abs=0.002 if method == "RungeKutta4" else 0.1)
    assert abs(run.states).max() <= 100.0
    assert len(run.times) == len(run.states)


@pytest.mark.parametrize("method", ["RungeKutta4", "Adaptive"])
def test_a_state_that_is_no_number_ends_a_run(method):
    run = simulate(NONSENSE, 2.0, dt=0.01, method=method)
    assert run.outcome == "NotFinite"
    assert np.isfinite(run.states).all()
    assert run.times[-1] < 0.51


@pytest.mark.parametrize("method", ["RungeKutta4", "Adaptive"])
def test_a_budget_ends_a_run(method):
    run = simulate(OSCILLATOR, 1000.0, dt=0.01, method=method, most_steps=20)
    assert (run.outcome, run.steps) == ("BudgetSpent", 20)
    assert len(run.times) == len(run.states) > 1


def test_maps_are_iterated():
    run = simulate(known.logistic(3.2), 6, every=2)
    x, expected = 0.3, [0.3]
    for count in range(1, 7):
        x = 3.2 * x * (1 - x)
        if count % 2 == 0:
            expected.append(x)
    np.testing.assert_array_equal(run.states.ravel(), expected)
    np.testing.assert_array_equal(run.times, [0, 2, 4, 6])


def test_no_duration_is_the_start_alone():
    run = simulate(OSCILLATOR, 0.0)
    np.testing.assert_array_equal(run.states, [[1.0, 0.0]])
    assert (run.outcome, run.steps) == ("Complete", 0)
    assert len(simulate(OSCILLATOR, 0.0, method="Adaptive").times) == 1


@pytest.mark.parametrize(
    ("system", "options"),
    [
        (known.damped_oscillator(1.0, 0.1), {"method": "StormerVerlet"}),
        (known.lorenz(), {"method": "Yoshida4"}),
        (known.van_der_pol(), {"method": "Yoshida4"}),
        (OSCILLATOR, {"method": "Euler"}),
        (OSCILLATOR, {"dt": 0.0}),
        (OSCILLATOR, {"dt": float("nan")}),
        (OSCILLATOR, {"every": 0}),
        (OSCILLATOR, {"bound": -1.0}),
        (OSCILLATOR, {"start": [np.nan, 0.0]}),
        (OSCILLATOR, {"start": [1.0]}),
        (OSCILLATOR, {"most_steps": -1}),
    ],
)
def test_what_cannot_be_run_is_refused(system, options):
    with pytest.raises(InputError, match="allowed"):
        simulate(system, 1.0, **options)
    with pytest.raises(InputError, match="duration"):
        simulate(OSCILLATOR, -1.0)


def test_coasting_asks_for_fitting_velocities():
    with pytest.raises(InputError, match="velocities"):
        coast(double_well(), [[0.0], [1.0]], [[0.0]], 1)
    with pytest.raises(InputError, match="method"):
        coast(double_well(), [[0.0]], [[0.0]], 1, method="RungeKutta4")
