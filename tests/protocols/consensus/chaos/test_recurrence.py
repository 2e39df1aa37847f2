"""Recurrence quantification: the naive matrix, closed forms, windows and streams."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.chaos.known_systems import lorenz
from swarmloom_protocols.consensus.chaos.recurrence import (
    RecurrenceMonitor,
    RecurrenceSettings,
    cross_recurrence,
    line_lengths,
    recurrence,
    recurrence_windows,
)
from swarmloom_protocols.consensus.chaos.systems import trajectory
from tests.naive import recurrence as naive

NORMS = st.sampled_from(["maximum", "euclidean"])
# Quarters: distances fall on the radius itself as often as on either side.
VALUES = st.integers(-8, 8).map(lambda quarter: quarter / 4)


def states(rows, columns):
    return arrays.arrays(np.float64, st.tuples(rows, columns), elements=VALUES)


@given(states(st.integers(1, 150), st.integers(1, 5)), VALUES.map(abs), NORMS, st.integers(0, 4))
@settings(max_examples=60, deadline=None)
def test_lines_equal_those_of_the_matrix(points, radius, norm, theiler):
    points.flags.writeable = False
    wanted = RecurrenceSettings(radius, norm=norm, theiler=theiler)
    diagonals, verticals = line_lengths(points, wanted)
    np.testing.assert_array_equal(diagonals, naive.diagonal_lengths(points, radius, norm, theiler))
    np.testing.assert_array_equal(verticals, naive.vertical_lengths(points, radius, norm, theiler))


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_the_radius_is_a_length_in_both_norms(scale):
    # 3, 4 and 5: a corner is 4 away in the maximum norm, 5 in the Euclidean one.
    corners = scale * np.array([[0.0, 0.0], [3.0, 4.0]])
    for norm, apart in (("maximum", 4.0), ("euclidean", 5.0)):
        for factor, rate in ((0.95, 0.5), (1.05, 1.0)):
            wanted = RecurrenceSettings(factor * apart * scale, norm=norm)
            assert recurrence(corners, wanted).recurrence_rate == rate


@given(
    states(st.integers(1, 90), st.just(2)),
    states(st.integers(1, 140), st.just(2)),
    VALUES.map(abs),
    NORMS,
)
@settings(max_examples=40, deadline=None)
def test_cross_recurrences_equal_those_of_the_matrix(first, second, radius, norm):
    found = cross_recurrence(first, 10 * second, RecurrenceSettings(radius, norm=norm))
    diagonals, verticals = naive.cross_lengths(first, 10 * second, radius, norm)
    np.testing.assert_array_equal(found.diagonal_lengths, diagonals)
    np.testing.assert_array_equal(found.vertical_lengths, verticals)
    assert found.recurrence_rate == naive.matrix(first, 10 * second, radius, norm).mean()


@pytest.mark.parametrize("theiler", [0, 1, 7])
def test_measures_equal_their_definitions(theiler):
    series = trajectory(lorenz(), 400, dt=0.05, skip=500)[:, 0]
    wanted = RecurrenceSettings(
        2.0, dimension=3, delay=3, theiler=theiler, least_diagonal=4, least_vertical=3
    )
    found = recurrence(series, wanted)
    points = np.column_stack([series[:-6], series[3:-3], series[6:]])
    diagonals = naive.diagonal_lengths(points, 2.0, theiler=theiler)
    verticals = naive.vertical_lengths(points, 2.0, theiler=theiler)
    assert (found.determinism, found.mean_diagonal, found.diagonal_entropy) == pytest.approx(
        naive.measures(2 * diagonals, 4)
    )
    assert (found.laminarity, found.trapping_time, found.vertical_entropy) == pytest.approx(
        naive.measures(verticals, 3)
    )
    assert found.longest_diagonal == np.flatnonzero(diagonals)[-1]
    assert found.longest_vertical == np.flatnonzero(verticals)[-1]
    assert found.divergence == 1 / found.longest_diagonal
    rows, columns = np.indices((len(points), len(points)))
    admitted = naive.matrix(points, points, 2.0)[abs(rows - columns) >= theiler]
    assert found.recurrence_rate == pytest.approx(admitted.mean())


@pytest.mark.row("C7")
def test_a_sine_is_deterministic():
    series = np.sin(2 * np.pi * np.arange(2_000) / 50)
    found = recurrence(series, RecurrenceSettings(0.1, dimension=2, delay=12, theiler=1))
    assert found.determinism == 1.0
    assert found.longest_diagonal == 2_000 - 12 - 50


@pytest.mark.row("C7")
def test_uniform_noise_has_its_closed_forms():
    series = np.random.default_rng(3).uniform(size=4_000)
    found = recurrence(series, RecurrenceSettings(0.05, theiler=1))
    rate = 2 * 0.05 - 0.05**2
    assert found.recurrence_rate == pytest.approx(rate, abs=2e-3)
    assert found.determinism == pytest.approx(2 * rate - rate**2, abs=4e-3)
    assert found.mean_diagonal == pytest.approx(2 + rate / (1 - rate), abs=0.01)


def test_the_main_diagonal_counts_where_asked_for():
    series = np.random.default_rng(0).uniform(size=300)
    plain = recurrence(series, RecurrenceSettings(0.05))
    counted = recurrence(series, RecurrenceSettings(0.05, main_diagonal=True))
    assert counted.diagonal_lengths[300] == 1
    np.testing.assert_array_equal(counted.diagonal_lengths[:300], plain.diagonal_lengths[:300])
    assert counted.determinism > plain.determinism
    assert counted.recurrence_rate == plain.recurrence_rate


def test_a_constant_series_recurs_everywhere():
    found = recurrence(np.ones(70), RecurrenceSettings(0.0))
    assert (found.recurrence_rate, found.laminarity, found.longest_diagonal) == (1.0, 1.0, 69)
    assert (found.trapping_time, found.longest_vertical) == (70.0, 70)


@pytest.mark.parametrize("theiler", [0, 1])
def test_a_single_state(theiler):
    found = recurrence([0.5], RecurrenceSettings(0.1, theiler=theiler))
    assert found.recurrence_rate == pytest.approx(1.0 if not theiler else math.nan, nan_ok=True)
    assert math.isnan(found.determinism)
    assert (found.longest_diagonal, found.divergence) == (0, math.inf)


def test_huge_values_and_tiny_radii_are_no_trouble():
    series = np.array([-1.7e308, 1.7e308, 0.0, 1e-300, 0.0, 1.7e308])
    found = recurrence(series, RecurrenceSettings(1e-200, theiler=1))
    assert found.recurrence_rate == pytest.approx(2 * 4 / 30)


def test_a_shift_of_a_series_is_a_long_line_of_the_cross_plot():
    series = np.random.default_rng(1).normal(size=(200, 3))
    found = cross_recurrence(series[20:], series[:-20], RecurrenceSettings(0.2))
    assert found.longest_diagonal == 160


def test_windows_and_streams_agree_however_the_stream_is_cut():
    series = np.random.default_rng(2).normal(size=260)
    wanted = RecurrenceSettings(0.4, dimension=2, delay=3)
    windows = recurrence_windows(series, wanted, window=100, step=40)
    assert len(windows) == 4
    plain = recurrence(series[40:143], wanted)
    np.testing.assert_array_equal(windows[1].diagonal_lengths, plain.diagonal_lengths)
    for cuts in ([], [1, 103, 104], [50, 200]):
        monitor = RecurrenceMonitor(wanted, window=100, step=40)
        seen = [found for part in np.split(series, cuts) for found in monitor.update(part)]
        assert [one.determinism for one in seen] == [one.determinism for one in windows]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"radius": -1.0}, "radius"),
        ({"radius": math.nan}, "radius"),
        ({"norm": "taxicab"}, "'maximum', 'euclidean'"),
        ({"dimension": 0}, "dimension"),
        ({"least_vertical": 0}, "least_vertical"),
        ({"theiler": 1, "main_diagonal": True}, "main_diagonal"),
    ],
)
def test_unusable_settings_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        replace(RecurrenceSettings(0.1), **change)


def test_unusable_series_are_refused():
    wanted = RecurrenceSettings(0.1, dimension=3, delay=2)
    for series in ([], [1.0, math.nan, 2.0] * 5, [1.0, 2.0], np.zeros((2, 2, 2))):
        with pytest.raises(InputError, match="series"):
            recurrence(series, wanted)
    with pytest.raises(InputError, match="columns"):
        cross_recurrence(np.ones((4, 2)), np.ones(4), RecurrenceSettings(0.1))
    with pytest.raises(InputError, match="window"):
        recurrence_windows(np.ones(10), RecurrenceSettings(0.1), window=11, step=1)
    monitor = RecurrenceMonitor(RecurrenceSettings(0.1), window=3, step=1)
    assert monitor.update([]) == []
    monitor.update([1.0])
    with pytest.raises(InputError, match="width 2"):
        monitor.update(np.ones((1, 2)))
