"""Critical points: how many, where, of which kind."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.dynamics.critical_points import critical_points, index_sum
from swarmloom_protocols.consensus.dynamics.gridded_potential import gridded_potential
from swarmloom_protocols.consensus.dynamics.potential import (
    double_well,
    gaussian_wells,
    mexican_hat,
    potential_of,
)


def himmelblau(x):
    return (x[:, 0] ** 2 + x[:, 1] - 11) ** 2 + (x[:, 0] + x[:, 1] ** 2 - 7) ** 2


# Himmelblau, "Applied nonlinear programming" (1972); saddles and the maximum as published tables
# give them.
MINIMA = [(3, 2), (-2.805118, 3.131313), (-3.779310, -3.283186), (3.584428, -1.848126)]
SADDLES = [(0.0867, 2.8843), (3.3852, 0.0739), (-3.0730, -0.0814), (-0.1280, -1.9537)]
MAXIMUM = (-0.270845, -0.923039)


def of_kind(points, kind):
    return [point for point in points if point.kind == kind]


def kinds(points):
    return sorted(point.kind for point in points)


def assert_same_places(points, known, tolerance):
    assert len(points) == len(known)
    for place in known:
        assert min(math.dist(place, point.position) for point in points) < tolerance


@pytest.mark.row("C2")
@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (2.0, 0.5), (0.3, 2.7)])
def test_a_double_well_on_a_line_has_two_minima_and_a_maximum(a, b):
    points = critical_points(double_well(a, b), [-4.0], [4.0])
    assert kinds(points) == ["LocalMaximum", "LocalMinimum", "LocalMinimum"]
    minima = sorted(point.position[0] for point in of_kind(points, "LocalMinimum"))
    np.testing.assert_allclose(minima, [-math.sqrt(a / b), math.sqrt(a / b)], rtol=1e-13)
    top = of_kind(points, "LocalMaximum")[0]
    assert abs(top.position[0]) < 1e-13
    np.testing.assert_allclose(top.eigenvalues, [-a])
    assert top.value - points[0].value == pytest.approx(a * a / (4 * b))


@pytest.mark.row("C2")
@pytest.mark.parametrize("dimension", [2, 3, 5])
def test_in_more_dimensions_the_barrier_is_one_saddle(dimension):
    box = np.full(dimension, 4.0)
    points = critical_points(double_well(2.0, 0.5, dimension), -box, box)
    assert kinds(points) == ["LocalMinimum", "LocalMinimum", "SaddlePoint"]
    saddle = of_kind(points, "SaddlePoint")[0]
    np.testing.assert_allclose(saddle.position, 0.0, atol=1e-12)
    np.testing.assert_allclose(saddle.eigenvalues, [-2.0] + [1.0] * (dimension - 1))
    assert index_sum(points) == 1


@pytest.mark.row("C2")
def test_himmelblau_has_four_minima_four_saddles_and_a_maximum():
    points = critical_points(potential_of(himmelblau, 2), [-5, -5], [5, 5])
    assert len(points) == 9
    assert_same_places(of_kind(points, "LocalMinimum"), MINIMA, 1e-6)
    assert_same_places(of_kind(points, "SaddlePoint"), SADDLES, 1e-4)
    assert_same_places(of_kind(points, "LocalMaximum"), [MAXIMUM], 1e-6)
    assert index_sum(points) == 1


def test_a_gridded_himmelblau_has_the_same_points():
    axis = np.linspace(-5, 5, 81)
    nodes = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    field = gridded_potential(himmelblau(nodes).reshape(81, 81), [axis, axis])
    points = critical_points(field, [-5, -5], [5, 5])
    assert len(points) == 9
    assert_same_places(of_kind(points, "LocalMinimum"), MINIMA, 1e-4)


@pytest.mark.row("C2")
def test_the_floor_of_a_mexican_hat_is_one_flat_region():
    points = critical_points(mexican_hat(2.0, 0.5), [-4, -4], [4, 4])
    assert kinds(points) == ["FlatRegion", "LocalMaximum"]
    floor = of_kind(points, "FlatRegion")[0]
    assert math.hypot(*floor.position) == pytest.approx(2.0)
    np.testing.assert_allclose(floor.eigenvalues, [0.0, 4.0], atol=1e-6)
    # The region goes all round: its farthest point lies opposite.
    assert floor.spread == pytest.approx(4.0, abs=0.1)
    with pytest.raises(InputError, match="FlatRegion"):
        index_sum(points)


def test_a_singular_hessian_is_flat_and_stops_nothing():
    points = critical_points(potential_of(lambda x: x[:, 0] ** 4, 1), [-5.0], [5.0])
    assert kinds(points) == ["FlatRegion"]
    assert abs(points[0].position[0]) < 1e-3


def test_a_constant_field_is_one_flat_region():
    points = critical_points(potential_of(lambda x: 0.0 * x[:, 0] + 3.0, 2), [-1, -1], [1, 1])
    assert kinds(points) == ["FlatRegion"]
    assert points[0].value == 3.0
    np.testing.assert_array_equal(points[0].eigenvalues, 0.0)


def test_a_slope_has_no_critical_point():
    assert critical_points(potential_of(lambda x: x[:, 0] + x[:, 1], 2), [-1, -1], [1, 1]) == ()


def test_a_field_that_is_not_a_number_is_refused():
    field = potential_of(lambda x: np.full(len(x), np.nan), 1)
    with pytest.raises(InputError, match="finite at no start"):
        critical_points(field, [-1.0], [1.0])
    # Where a part of the box has a field, that part is searched.
    half = potential_of(lambda x: np.where(x[:, 0] > -0.5, (x[:, 0] - 0.3) ** 2, np.nan), 1)
    (lowest,) = critical_points(half, [-1.0], [1.0], flatness=1e-3)
    np.testing.assert_allclose(lowest.position, [0.3], atol=1e-6)


def test_a_monkey_saddle_is_flat_by_its_curvatures():
    def value(x):
        return x[:, 0] ** 3 - 3 * x[:, 0] * x[:, 1] ** 2

    def gradient(x):
        columns = 3 * x[:, 0] ** 2 - 3 * x[:, 1] ** 2, -6 * x[:, 0] * x[:, 1]
        return np.stack(columns, axis=1)

    points = critical_points(potential_of(value, 2, gradient), [-1, -1], [1, 1])
    assert kinds(points) == ["FlatRegion"]
    np.testing.assert_allclose(points[0].position, 0.0, atol=1e-6)


def test_wells_of_a_crew_are_its_minima():
    centres = np.array([[-2.0, 0.0], [2.0, 0.0], [0.0, 3.0]])
    points = critical_points(gaussian_wells(centres, 0.5, [1.0, 2.0, 3.0], 0.01), [-5, -5], [5, 5])
    minima = of_kind(points, "LocalMinimum")
    assert_same_places(minima, centres.tolist(), 0.02)
    np.testing.assert_allclose(minima[0].position, centres[2], atol=0.02)
    assert len(of_kind(points, "SaddlePoint")) == 2
    assert index_sum(points) == 1


@settings(max_examples=10)
@given(st.integers(0, 10_000), st.integers(1, 6))
def test_minima_and_maxima_less_saddles_make_one(seed, wells):
    rng = np.random.default_rng(seed)
    centres, widths = rng.uniform(-2, 2, (wells, 2)), rng.uniform(0.5, 1.2, wells)
    # The bowl makes the field rise all along the border, as Poincaré and Hopf ask.
    field = gaussian_wells(centres, widths, rng.uniform(0.5, 2, wells), 0.1)
    points = critical_points(field, [-5, -5], [5, 5], starts=900)
    assert index_sum(points) == 1
    for point in points:
        assert abs(field.gradients(point.position[None])).max() < 1e-9


@pytest.mark.parametrize(
    ("low", "high"), [([1.0], [0.0]), ([0.0, 0.0], [1.0, 1.0]), ([np.nan], [1.0]), ([], [])]
)
def test_a_box_has_an_inside(low, high):
    with pytest.raises(InputError, match="low, high"):
        critical_points(double_well(), low, high)
