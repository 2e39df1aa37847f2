"""Sensing: multilinear interpolation against hat functions, exact on linear fields."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.field.boundaries import boundary_codes
from swarmloom_protocols.stigmergy.field.field import PheromoneField
from swarmloom_protocols.stigmergy.field.sensing import sensed
from tests.naive import diffusion as naive

SIDES = st.sampled_from(
    [
        "periodic",
        "reflecting",
        "absorbing",
        ("absorbing", "reflecting"),
        ("reflecting", "absorbing"),
    ]
)


@given(st.tuples(*[st.integers(1, 4)] * 3), st.tuples(SIDES, SIDES, SIDES), st.integers(0, 2**32))
@settings(deadline=None, max_examples=50)
def test_sensing_equals_hat_functions(shape, sides, seed):
    rng = np.random.default_rng(seed)
    layer = rng.random(shape, np.float32)
    layer.flags.writeable = False
    codes = boundary_codes(dict(zip("zyx", sides, strict=True)))
    positions = rng.uniform(-0.5, np.array(shape) - 0.5, (6, 3))
    positions[:2] = np.rint(np.clip(positions[:2], 0, np.array(shape) - 1))
    values = sensed(layer, codes, positions, device="cpu")
    np.testing.assert_allclose(values, naive.sensed(layer, codes, positions), rtol=1e-5, atol=1e-6)


@pytest.mark.row("S8")
@pytest.mark.parametrize("shape", [(9,), (7, 9), (6, 7, 9)])
def test_a_linear_field_is_reproduced_exactly(shape):
    rng = np.random.default_rng(7)
    slopes = rng.integers(1, 9, len(shape)) / 8
    grid = np.indices(shape)
    field = PheromoneField(shape, 2, layers=3)
    amounts = np.zeros((2, 3, *shape), np.float32)
    amounts[1, 2] = 2 + np.tensordot(slopes, grid, 1)
    field.replace(amounts)
    positions = rng.integers(0, 8 * (np.array(shape) - 1), (5, 4, len(shape))) / 8
    values = field.sense(positions, channel=1, layer=2)
    np.testing.assert_array_equal(values, (2 + positions @ slopes).astype(np.float32))


def test_between_the_last_centre_and_the_edge_the_boundary_decides():
    sides = {"reflecting": 1.0, "absorbing": 0.75, "periodic": 1.5}
    for kind, expected in sides.items():
        field = PheromoneField(4, 1, boundaries=kind)
        field.replace([[3.0, 0.0, 0.0, 1.0]])
        assert field.sense([3.25])[()] == pytest.approx(expected)


def test_a_position_outside_is_refused():
    field = PheromoneField((4, 4), 1)
    for bad in ([3.5, 0.0], [0.0, -0.51], [np.nan, 0.0]):
        with pytest.raises(InputError, match="positions"):
            field.sense([bad])
    with pytest.raises(InputError, match="shape"):
        field.sense([1.0, 2.0, 3.0])
    with pytest.raises(InputError, match="channel"):
        field.sense([1.0, 2.0], channel="food")
    with pytest.raises(InputError, match="layer"):
        field.sense([1.0, 2.0], layer=1)


def test_no_position_gives_no_value():
    assert PheromoneField((4, 4), 1).sense(np.zeros((0, 2))).shape == (0,)
