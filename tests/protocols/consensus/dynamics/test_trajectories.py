"""What trajectories do: the 0–1 test, periods, the four words for them."""

import math

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.chaos import known_systems as known
from swarmloom_protocols.consensus.chaos.systems import trajectory
from swarmloom_protocols.consensus.dynamics import zero_one_test as zero_one
from swarmloom_protocols.consensus.dynamics.periods import cycle_length, flow_period
from swarmloom_protocols.consensus.dynamics.trajectories import describe_trajectory
from tests.naive import dynamics as naive


def rng(seed=0):
    return np.random.default_rng(seed)


def logistic(r, steps=2000, skip=500):
    return trajectory(known.logistic(r), steps, skip=skip)[:, 0]


def sine(frequency, rows=4000, dt=0.05):
    return np.sin(frequency * dt * np.arange(rows))


def test_the_zero_one_test_is_the_one_written_down():
    series = logistic(3.8, 400)
    found = zero_one.zero_one_test(series, rng=rng(1), frequencies=1)
    frequency = rng(1).uniform(math.pi / 5, 4 * math.pi / 5)
    assert found == pytest.approx(naive.zero_one(series.tolist(), frequency), abs=1e-9)


@pytest.mark.row("C4")
@pytest.mark.parametrize(
    ("series", "chaos"),
    [
        (logistic(3.2), False),
        (logistic(3.5), False),
        (logistic(3.97), True),
        (logistic(3.6), True),
        (trajectory(known.henon(), 2000, skip=100)[:, 0], True),
        (trajectory(known.lorenz(), 60_000, skip=5000)[::30, 0], True),
        (np.sin(np.arange(2000)) + np.sin(math.sqrt(2) * np.arange(2000)), False),
    ],
    ids=["period 2", "period 4", "logistic", "banded chaos", "henon", "lorenz", "two sines"],
)
def test_zero_is_order_and_one_is_chaos(series, chaos):
    k = zero_one.zero_one_test(series, rng=rng())
    assert k > 0.7 if chaos else k < 0.3


def test_a_constant_is_order():
    assert zero_one.zero_one_test(np.full(300, 2.5), rng=rng()) == 0.0
    assert zero_one.decorrelation_steps(np.full(300, 2.5)) == 1


def test_the_zero_one_test_needs_a_series():
    for series in (np.zeros(100), np.full(300, np.nan), np.zeros((300, 2))):
        with pytest.raises(InputError, match="series"):
            zero_one.zero_one_test(series, rng=rng())


def test_decorrelation_takes_about_a_radian_of_a_sine():
    steps = zero_one.decorrelation_steps(sine(0.5, 20_000))
    assert steps * 0.05 * 0.5 == pytest.approx(math.acos(1 / math.e), abs=0.05)


@pytest.mark.row("C4")
@pytest.mark.parametrize("observed", [slice(None), slice(0, 1)])
def test_the_period_of_van_der_pol(observed):
    states = trajectory(known.van_der_pol(1.0), 15_000, skip=5000)
    found = flow_period(states[:, observed], 0.01)
    # To eight digits, by many authors.
    assert found.period == pytest.approx(6.66328686, abs=1e-6)
    assert found.spread < 1e-6


def test_an_orbit_that_does_not_close_has_no_period():
    assert flow_period(trajectory(known.torus(), 20_000, skip=2000), 0.01) is None
    assert flow_period(trajectory(known.lorenz(), 20_000, skip=2000), 0.01) is None
    assert flow_period(np.zeros((50, 2))) is None
    assert flow_period(sine(0.02)) is None


def test_a_loop_within_a_loop_is_one_period():
    time = 0.01 * np.arange(10_000)
    states = np.stack([np.cos(time) + np.cos(2 * time), np.sin(time) + np.sin(2 * time)], axis=1)
    assert flow_period(states, 0.01).period == pytest.approx(2 * math.pi, rel=1e-6)


@pytest.mark.parametrize(
    ("r", "length"), [(2.8, 1), (3.2, 2), (3.5, 4), (3.55, 8), (3.83, 3), (4, 0)]
)
def test_cycles_of_the_logistic_map(r, length):
    assert cycle_length(logistic(r, 3000, skip=20_000)) == length


@pytest.mark.row("C4")
@pytest.mark.parametrize(
    ("states", "dt", "kind"),
    [
        (trajectory(known.damped_oscillator(1.0, 0.02), 8000), 0.01, "Converging"),
        (trajectory(known.double_well(), 6000), 0.01, "Converging"),
        (logistic(2.5), 1.0, "Converging"),
        (1 / np.sqrt(1 + np.arange(500.0)), 1.0, "Converging"),
        (np.zeros(100), 1.0, "Converging"),
        (trajectory(known.van_der_pol(), 30_000), 0.01, "Oscillating"),
        (trajectory(known.torus(), 60_000), 0.01, "Oscillating"),
        (logistic(3.5), 1.0, "Oscillating"),
        (sine(1.0), 0.05, "Oscillating"),
        (trajectory(known.lorenz(), 60_000), 0.01, "Chaotic"),
        (trajectory(known.henon(), 3000), 1.0, "Chaotic"),
        (logistic(3.9), 1.0, "Chaotic"),
        (trajectory(known.damped_oscillator(1.0, -0.05), 6000), 0.01, "Escaping"),
        (np.arange(200.0), 1.0, "Escaping"),
        (np.append(np.zeros(100), np.nan), 1.0, "Escaping"),
        (np.append(np.zeros(100), 1e7), 1.0, "Escaping"),
    ],
)
def test_the_four_words(states, dt, kind):
    assert describe_trajectory(states, dt=dt, rng=rng()).kind == kind


def test_what_is_no_trajectory_is_refused():
    for states in (np.zeros(10), np.zeros((100, 0)), np.zeros((40, 2, 2))):
        with pytest.raises(InputError, match="states"):
            describe_trajectory(states, rng=rng())
    for measure in (flow_period, cycle_length):
        with pytest.raises(InputError, match="states"):
            measure(np.full(100, np.inf))
