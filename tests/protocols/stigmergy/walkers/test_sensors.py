"""Sensors: exact on linear fields, right beyond the edges, and blind below their thresholds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.field.field import PheromoneField
from swarmloom_protocols.stigmergy.walkers.sensors import Sensors, sense, sensed_gradient
from tests.naive import walkers as naive

KEEN = Sensors(thresholds=0.0)
SIDES = ("periodic", "reflecting", "absorbing")


def spread(rng, count, shape, margin=-0.5):
    low, high = margin, np.array(shape) - 1.0 - margin
    return rng.uniform(low, high, (count, len(shape))).astype(np.float32)


@pytest.mark.row("S8")
@pytest.mark.parametrize("shape", [(20, 30), (12, 14, 16)])
def test_linear_fields_are_read_and_their_slope_found_exactly(shape):
    rng = np.random.default_rng(1)
    slope, axes = rng.uniform(-2.0, 2.0, len(shape)), np.indices(shape)
    field = 100.0 + np.tensordot(slope, axes, 1)
    places = spread(rng, 50, shape, margin=2.0)
    readings = sense(field, places, sensors=KEEN)
    ring = 2.0 * KEEN.directions(len(shape))
    expected = 100.0 + (places[:, np.newaxis] + ring) @ slope
    np.testing.assert_allclose(readings[0], expected, rtol=5e-7)
    found = sensed_gradient(readings[0], sensors=KEEN, dimensions=len(shape))
    np.testing.assert_allclose(found, np.tile(slope, (50, 1)), atol=2e-5)


@pytest.mark.row("S8")
def test_by_default_twelve_directions_two_cells_away():
    sensors = Sensors()
    assert sensors.directions().shape == (12, 2)
    assert (sensors.radius, sensors.thresholds) == (2.0, 0.1)
    np.testing.assert_allclose(sensors.directions()[3], [1.0, 0.0], atol=1e-15)
    field = np.zeros((9, 9), np.float32)
    field[6, 4] = 1.0
    readings = sense(field, [[4.0, 4.0]])[0, 0]
    assert readings.argmax() == 3
    assert readings[3] == 1.0


@pytest.mark.row("S8")
def test_readings_below_a_channel_s_threshold_are_zero():
    field = np.full((3, 8, 8), 0.3, np.float32)
    readings = sense(field, [[4.0, 4.0]], sensors=Sensors(thresholds=(0.2, 0.3, 0.4)))
    np.testing.assert_array_equal(readings[:, 0, 0], np.float32([0.3, 0.3, 0.0]))
    assert sense(-field, [[4.0, 4.0]])[0, 0, 0] == np.float32(-0.3)


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(SIDES), st.sampled_from(SIDES), st.integers(0, 2**32 - 1))
def test_readings_equal_the_naive_reference_at_all_edges(low, high, seed):
    rng = np.random.default_rng(seed)
    if "periodic" in (low, high):
        low = high = "periodic"
    sides = ((low, high), ("absorbing", "reflecting"))
    field, places = rng.random((2, 7, 8), np.float32), spread(rng, 4, (7, 8))
    boundaries = {"y": (low, high), "x": sides[1]}
    readings = sense(field, places, sensors=KEEN, boundaries=boundaries)
    expected = naive.sense(field, places, KEEN.directions(), KEEN.radius, 0.0, sides)
    np.testing.assert_allclose(readings, expected, atol=2e-6)


def test_in_space_readings_equal_the_naive_reference():
    rng = np.random.default_rng(3)
    sides = (("reflecting",) * 2, ("periodic",) * 2, ("absorbing",) * 2)
    boundaries = dict(zip("zyx", ("reflecting", "periodic", "absorbing"), strict=True))
    field, places = rng.random((2, 6, 7, 8), np.float32), spread(rng, 6, (6, 7, 8))
    readings = sense(field, places, sensors=KEEN, boundaries=boundaries)
    expected = naive.sense(field, places, KEEN.directions(3), KEEN.radius, 0.0, sides)
    assert readings.shape[2] == 46
    np.testing.assert_allclose(readings, expected, atol=2e-6)


def test_headings_turn_the_ring_and_not_the_slope():
    rng = np.random.default_rng(4)
    axes = np.indices((20, 20))
    field, places = 50.0 + 2.0 * axes[0] - axes[1], spread(rng, 30, (20, 20), margin=3.0)
    angles = rng.uniform(0.0, 2.0 * np.pi, 30)
    ways = np.column_stack([np.sin(angles), np.cos(angles)])
    readings = sense(field, places, headings=ways, sensors=KEEN)
    ahead = 50.0 + (places + 2.0 * ways) @ [2.0, -1.0]
    np.testing.assert_allclose(readings[0, :, 0], ahead, rtol=1e-6)
    found = sensed_gradient(readings[0], headings=ways, sensors=KEEN)
    np.testing.assert_allclose(found, np.tile([2.0, -1.0], (30, 1)), atol=2e-5)


def test_a_ring_wider_than_the_grid_sees_it_mirrored_again_and_again():
    readings = sense(np.ones((2, 1), np.float32), [[0.0, 0.0]], sensors=Sensors(radius=9.0))
    np.testing.assert_array_equal(readings, np.ones((1, 1, 12), np.float32))


def test_nothing_else_is_touched_by_nan_and_no_walkers_are_allowed():
    field = np.ones((9, 9), np.float32)
    field[0, 0] = np.nan
    field.flags.writeable = False
    readings = sense(field, [[1.0, 1.0], [6.0, 6.0]])
    assert np.isnan(readings[0, 0]).any()
    assert not np.isnan(readings[0, 1]).any()
    assert sense(field, np.empty((0, 2))).shape == (1, 0, 12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"radius": 0.0}, "radius is 0.0; allowed: finite, above 0"),
        ({"angular_resolution": 50.0}, "angular_resolution is 50.0; allowed: a divisor of 360"),
        ({"angular_resolution": 180.0}, "angular_resolution is 180.0; allowed: finite, 0.1 to 120"),
        ({"thresholds": (0.1, np.nan)}, "thresholds is nan"),
    ],
)
def test_bad_sensors_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        Sensors(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"positions": [[0.0, 9.0]]}, r"positions\[0\] is \[0.0, 9.0\]; allowed: -0.5 to 7.5"),
        ({"positions": [[0.0, 7.5]]}, r"positions\[0\] is \[0.0, 7.5\]; .* without the upper"),
        ({"positions": [[7.4999999999, 0.0]]}, r"positions\[0\]"),
        ({"field": PheromoneField((8, 8, 8), 1)}, "field: a grid of .* allowed: 2 axes"),
        ({"positions": [[0.0, np.nan]]}, r"positions\[0\] is \[0.0, nan\]; allowed: finite"),
        ({"positions": [1.0, 2.0]}, r"positions: shape \(2,\)"),
        ({"field": np.ones(8)}, r"field: shape \(8,\); allowed: \(Y, X\)"),
        ({"field": np.ones((0, 8))}, "not empty"),
        ({"sensors": Sensors(thresholds=(1.0, 2.0))}, "thresholds: 2 for 1 planes"),
        ({"headings": [[3.0, 4.0]]}, r"headings\[0\] is of length 5; allowed: unit vectors"),
        ({"headings": [[1.0, 0.0]] * 2}, r"headings: shape \(2, 2\); allowed: .* \(1, 2\)"),
        ({"boundaries": "open"}, "boundaries: 'open'"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        sense(**({"field": np.ones((8, 8)), "positions": [[1.0, 1.0]]} | arguments))


def test_a_pheromone_field_s_layers_are_read_channel_by_channel():
    field = PheromoneField((8, 9), 2, layers=3, device="cpu")
    field.deposit([[4.0, 6.0]], 7.0, channel=1, layer=2)
    readings = sense(field, [[4.0, 4.0]])
    assert readings.shape == (6, 1, 12)
    assert np.flatnonzero(readings.any(axis=(1, 2))).tolist() == [5]
    assert readings[5, 0, 0] == 7.0


def test_what_is_not_a_reading_a_direction_is_refused():
    with pytest.raises(InputError, match=r"readings: shape \(3, 4\); allowed: \(…, walkers, 12\)"):
        sensed_gradient(np.ones((3, 4)), sensors=Sensors())
