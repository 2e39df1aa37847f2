"""Potential fields: values, derivatives, grids."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.dynamics.gridded_potential import gridded_potential
from swarmloom_protocols.consensus.dynamics.potential import (
    double_well,
    gaussian_wells,
    mexican_hat,
    potential_of,
)
from tests.naive import dynamics as naive

FIELDS = {
    "double well": double_well(1.5, 0.7, 3, 2.0),
    "mexican hat": mexican_hat(1.2, 0.6, 3),
    "gaussians": gaussian_wells([[0, 0, 1], [1, -1, 0.5]], [0.8, 1.3], [1.0, -0.4], 0.3),
}


def quartic(x):
    return x[:, 0] ** 4 - x[:, 0] * x[:, 1] ** 2 + np.sin(x[:, 2])


def quartic_gradient(x):
    columns = 4 * x[:, 0] ** 3 - x[:, 1] ** 2, -2 * x[:, 0] * x[:, 1], np.cos(x[:, 2])
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("name", FIELDS)
def test_derivatives_are_those_of_the_values(name):
    field = FIELDS[name]
    points = np.random.default_rng(0).uniform(-2, 2, (20, 3))
    points.flags.writeable = False
    numeric = potential_of(field.values, 3)
    np.testing.assert_allclose(field.gradients(points), numeric.gradients(points), atol=2e-9)
    np.testing.assert_allclose(field.hessians(points), numeric.hessians(points), atol=2e-6)
    np.testing.assert_array_equal(field.forces(points), -field.gradients(points))


@given(
    arrays(np.float64, (3, 2), elements=st.floats(-3, 3)),
    arrays(np.float64, 3, elements=st.floats(0.2, 3)),
    arrays(np.float64, 3, elements=st.floats(-2, 2)),
    arrays(np.float64, 2, elements=st.floats(-4, 4)),
    st.floats(0, 2),
)
def test_gaussians_are_the_sum_written_down(centres, widths, depths, point, confinement):
    field = gaussian_wells(centres, widths, depths, confinement)
    value, gradient, hessian = naive.gaussian_well(point, centres, widths, depths, confinement)
    np.testing.assert_allclose(field.values(point[None])[0], value, atol=1e-9)
    np.testing.assert_allclose(field.gradients(point[None])[0], gradient, atol=1e-9)
    np.testing.assert_allclose(field.hessians(point[None])[0], hessian, atol=1e-8)


def test_a_given_gradient_makes_a_better_hessian():
    points = np.random.default_rng(1).uniform(-2, 2, (10, 3))
    alone, helped = potential_of(quartic, 3), potential_of(quartic, 3, quartic_gradient)
    np.testing.assert_allclose(alone.gradients(points), quartic_gradient(points), atol=1e-8)
    exact = np.zeros((10, 3, 3))
    exact[:, 0, 0] = 12 * points[:, 0] ** 2
    exact[:, 0, 1] = exact[:, 1, 0] = -2 * points[:, 1]
    exact[:, 1, 1], exact[:, 2, 2] = -2 * points[:, 0], -np.sin(points[:, 2])
    errors = [abs(field.hessians(points) - exact).max() for field in (alone, helped)]
    assert errors[1] < 1e-8 < errors[0] < 1e-5


def test_a_cubic_on_a_grid_is_exact():
    axes = np.linspace(-1, 1, 9), np.array([-2, -1.5, -0.2, 0.4, 1, 2.0])
    x, y = np.meshgrid(*axes, indexing="ij")
    field = gridded_potential(x**3 * y**2 + x * y, axes)
    points = np.random.default_rng(2).uniform(-1, 1, (10, 2))
    u, v = points.T
    np.testing.assert_allclose(field.values(points), u**3 * v**2 + u * v, atol=1e-13)
    slopes = np.stack([3 * u**2 * v**2 + v, 2 * u**3 * v + u], axis=1)
    np.testing.assert_allclose(field.gradients(points), slopes, atol=1e-12)
    bends = field.hessians(points)
    np.testing.assert_allclose(bends[:, 0, 1], 6 * u**2 * v + 1, atol=1e-11)
    np.testing.assert_allclose(bends[:, 1, 1], 2 * u**3, atol=1e-11)


def test_a_multilinear_grid_has_kinks():
    axes = np.linspace(-1, 1, 5), np.linspace(0, 3, 4)
    x, y = np.meshgrid(*axes, indexing="ij")
    field = gridded_potential(abs(x) + x * y, axes, "multilinear")
    np.testing.assert_allclose(field.values(np.array([[0.25, 1.5]])), [0.25 + 0.375])
    np.testing.assert_allclose(
        field.gradients(np.array([[0.25, 1.5], [-0.25, 1.5]]))[:, 0], [2.5, 0.5]
    )
    with pytest.raises(InputError, match="cubic"):
        field.hessians(np.zeros((1, 2)))


def test_beyond_a_grid_nothing_is_known():
    field = gridded_potential(np.arange(5.0), [np.arange(5.0)])
    assert np.isnan(field.values(np.array([[4.1]]))).all()
    assert np.isnan(field.gradients(np.array([[-0.1]]))).all()
    assert field.values(np.array([[4.0]]))[0] == pytest.approx(4.0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: double_well(0.0, 1.0),
        lambda: double_well(1.0, float("nan")),
        lambda: mexican_hat(dimension=0),
        lambda: gaussian_wells([[0.0]], 0.0, 1.0),
        lambda: gaussian_wells([[np.nan]], 1.0, 1.0),
        lambda: gaussian_wells(np.empty((0, 2)), 1.0, 1.0),
        lambda: gridded_potential(np.zeros(4), [np.arange(5.0)]),
        lambda: gridded_potential(np.zeros(4), [np.array([0, 1, 1, 2.0])]),
        lambda: gridded_potential(np.zeros(3), [np.arange(3.0)]),
        lambda: gridded_potential(np.full(4, np.nan), [np.arange(4.0)]),
        lambda: gridded_potential(np.zeros(4), [np.arange(4.0)], "nearest"),
        lambda: potential_of(lambda x: x, 2).values(np.zeros((3, 2))),
        lambda: double_well(dimension=2).points([1.0, 2.0, 3.0]),
    ],
)
def test_what_is_no_field_is_refused(make):
    with pytest.raises(InputError, match="allowed"):
        make()
