"""Anisotropic diffusion: exact moments, never out of range, mass kept, unusable tensors refused."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom import device
from swarmloom.device import use_threads
from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.field.anisotropic import (
    AnisotropicDiffusion,
    anisotropic_steps,
    largest_anisotropic_step,
)
from swarmloom_protocols.stigmergy.field.boundaries import boundary_codes
from tests.naive import anisotropic as naive

TENSOR = np.array([[1.0, 0.6], [0.6, 0.8]])
SOLID = np.array([[0.9, 0.2, -0.3], [0.2, 0.7, 0.1], [-0.3, 0.1, 1.0]])
KINDS = ["reflecting", "periodic", "absorbing"]
SIDES = st.sampled_from([*KINDS, ("reflecting", "absorbing"), ("absorbing", "reflecting")])


def moments(field):
    """Mean and covariance of where the mass is."""
    axes = np.indices(field.shape).reshape(field.ndim, -1).astype(float)
    weights = field.reshape(-1).astype(float)
    return np.average(axes, axis=1, weights=weights), np.cov(axes, aweights=weights, ddof=0)


def blob(shape, covariance):
    offset = np.indices(shape) - (np.array(shape).reshape(-1, *[1] * len(shape)) - 1) / 2
    distance = np.einsum("i...,ij,j...->...", offset, np.linalg.inv(covariance), offset)
    return np.exp(-distance / 2).astype(np.float32)


def dominant_tensors(rng, shape, axes):
    """Random tensors at and within the limit of what the stencil treats."""
    off = np.triu(rng.uniform(-1.0, 1.0, (*shape, axes, axes)), 1)
    tensors = off + off.swapaxes(-1, -2)
    spare = rng.uniform(0.0, 1.0, (*shape, axes)) * rng.integers(0, 2, (*shape, axes))
    tensors += np.einsum("...i,ij->...ij", np.abs(tensors).sum(-1) + spare, np.eye(axes))
    return tensors


@pytest.mark.row("S4")
@pytest.mark.parametrize("off_diagonal", [0.6, -0.6, 0.0, 0.8])
def test_covariance_of_a_gaussian_grows_by_twice_tensor_times_time(off_diagonal):
    tensor = np.array([[1.0, off_diagonal], [off_diagonal, 0.8]])
    start = blob((121, 121), np.array([[16.0, 3.0], [3.0, 9.0]]))
    end = anisotropic_steps(start, tensor, dt=0.25, steps=160)
    mean, covariance = moments(end)
    np.testing.assert_allclose(mean, [60.0, 60.0], atol=1e-3)
    np.testing.assert_allclose(covariance - moments(start)[1], 2 * tensor * 40.0, atol=0.04)


@pytest.mark.row("S4")
def test_covariance_in_three_dimensions():
    start = blob((37, 37, 37), 6.0 * np.eye(3))
    grown = moments(anisotropic_steps(start, SOLID, dt=0.1, steps=50))[1] - moments(start)[1]
    np.testing.assert_allclose(grown, 2 * SOLID * 5.0, atol=0.02)


@pytest.mark.row("S4")
@pytest.mark.parametrize("boundaries", KINDS)
@pytest.mark.parametrize("axes", [2, 3])
def test_no_value_leaves_the_range_even_at_the_largest_step(axes, boundaries):
    rng = np.random.default_rng(axes)
    shape = (12, 17) if axes == 2 else (5, 6, 7)
    tensors = dominant_tensors(rng, shape, axes)
    start = (rng.random(shape) < 0.1).astype(np.float32) + np.float32(1.0)
    dt = largest_anisotropic_step(tensors, shape, boundaries)
    low = 0.0 if boundaries == "absorbing" else 1.0
    for steps in (1, 2, 30):
        end = anisotropic_steps(start, tensors, boundaries, dt, steps)
        assert low * (1 - 1e-6) <= end.min()
        assert end.max() <= start.max() * (1 + 1e-6)
    spike = np.zeros(shape, np.float32)
    spike[tuple(n // 2 for n in shape)] = 1.0
    assert anisotropic_steps(spike, tensors, boundaries, dt, 1).min() >= 0.0


@pytest.mark.row("S4")
@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize("boundaries", ["reflecting", "periodic", {"x": "periodic"}])
def test_closed_sides_keep_mass(boundaries, axes):
    rng = np.random.default_rng(5)
    shape = (23, 31) if axes == 2 else (6, 7, 8)
    tensors, start = dominant_tensors(rng, shape, axes), rng.random(shape, np.float32)
    dt = 0.9 * largest_anisotropic_step(tensors, shape, boundaries)
    end = anisotropic_steps(start, tensors, boundaries, dt, 200)
    assert end.sum(dtype=float) == pytest.approx(start.sum(dtype=float), rel=1e-6)
    even = anisotropic_steps(np.full(shape, 2.5, np.float32), tensors, boundaries, dt, 20)
    np.testing.assert_array_equal(even, 2.5)


def test_a_multiple_of_the_identity_is_isotropic_diffusion():
    rng = np.random.default_rng(1)
    start = rng.random((20, 30)).astype(np.float32)
    end = anisotropic_steps(start, 0.7 * np.eye(2), "reflecting", 0.2, 25)
    field = start.astype(float)
    for _ in range(25):
        padded = np.pad(field, 1, mode="edge")
        around = padded[2:, 1:-1] + padded[:-2, 1:-1] + padded[1:-1, 2:] + padded[1:-1, :-2]
        field = field + 0.2 * 0.7 * (around - 4 * field)
    np.testing.assert_allclose(end, field, rtol=3e-6)


@pytest.mark.row("S4")
def test_turning_field_and_tensor_turns_the_result():
    rng = np.random.default_rng(2)
    start = rng.random((24, 24)).astype(np.float32)
    end = anisotropic_steps(start, TENSOR, dt=0.3, steps=10)
    quarter = np.array([[0.0, -1.0], [1.0, 0.0]])
    turned = anisotropic_steps(np.rot90(start), quarter @ TENSOR @ quarter.T, dt=0.3, steps=10)
    np.testing.assert_allclose(turned, np.rot90(end), rtol=2e-6)
    swapped = anisotropic_steps(start.T, TENSOR[::-1, ::-1], dt=0.3, steps=10)
    np.testing.assert_allclose(swapped, end.T, rtol=2e-6)


def test_modes_of_a_periodic_grid_decay_as_the_tensor_says():
    y, x = np.meshgrid(*[2 * math.pi * np.arange(64) / 64] * 2, indexing="ij")
    for wave in ((1, 1), (1, -1), (2, 1)):
        start = (2.0 + np.cos(wave[0] * y + wave[1] * x)).astype(np.float32)
        end = anisotropic_steps(start, TENSOR, "periodic", 0.1, 500) - 2.0
        k = 2 * math.pi / 64 * np.array(wave)
        expected = math.exp(-(k @ TENSOR @ k) * 50.0)
        assert (end * (start - 2.0)).sum() / ((start - 2.0) ** 2).sum() == pytest.approx(
            expected, rel=0.01
        )


def test_with_absorbing_sides_everything_is_lost_in_the_end():
    start = np.ones((9, 9), np.float32)
    totals = [anisotropic_steps(start, TENSOR, "absorbing", 0.3, n).sum() for n in (0, 10, 100)]
    assert totals[0] == 81.0
    assert totals[0] > totals[1] > totals[2] > 0
    late = anisotropic_steps(start, TENSOR, "absorbing", 0.3, 3000)
    assert not late.any()


@given(st.integers(0, 2**31), st.integers(1, 6), st.integers(1, 7), SIDES, SIDES, st.booleans())
@settings(deadline=None, max_examples=40)
def test_planes_equal_the_naive_reference(seed, height, width, side_y, side_x, constant):
    rng = np.random.default_rng(seed)
    tensors = dominant_tensors(rng, () if constant else (height, width), 2)
    start = rng.random((2, 2, height, width)).astype(np.float32)
    sides = {"y": side_y, "x": side_x}
    dt = min(0.8 * largest_anisotropic_step(tensors, start.shape, sides), 10.0)
    tensors.flags.writeable = start.flags.writeable = False
    end = anisotropic_steps(start, tensors, sides, dt, 3)
    expected = naive.anisotropic_steps(start, tensors, boundary_codes(sides), dt, 3)
    np.testing.assert_allclose(end, expected, rtol=3e-6, atol=1e-6)


@given(st.integers(0, 2**31), st.tuples(*[st.integers(1, 4)] * 3), SIDES, SIDES, st.booleans())
@settings(deadline=None, max_examples=25)
def test_volumes_equal_the_naive_reference(seed, shape, side_z, side_x, constant):
    rng = np.random.default_rng(seed)
    tensors = dominant_tensors(rng, () if constant else shape, 3)
    start = rng.random(shape).astype(np.float32)
    sides = {"z": side_z, "x": side_x, "y": "periodic"}
    dt = min(0.8 * largest_anisotropic_step(tensors, shape, sides), 10.0)
    end = anisotropic_steps(start, tensors, sides, dt, 2)
    expected = naive.anisotropic_steps(start, tensors, boundary_codes(sides), dt, 2)
    np.testing.assert_allclose(end, expected, rtol=3e-6, atol=1e-6)


@pytest.mark.parametrize("threads", [1, 3])
def test_results_do_not_depend_on_threads(threads, monkeypatch):
    start = np.random.default_rng(3).random((40, 50), np.float32)
    expected = anisotropic_steps(start, TENSOR, dt=0.3, steps=4)
    monkeypatch.setattr(device, "BAND_ELEMENTS", 300)
    with use_threads(threads):
        np.testing.assert_array_equal(anisotropic_steps(start, TENSOR, dt=0.3, steps=4), expected)


def test_the_field_given_stays_and_no_denormal_is_left():
    start = np.zeros((30, 30), np.float32)
    start[0, 0] = 1e-29
    kept = start.copy()
    end = anisotropic_steps(start, TENSOR, dt=0.3, steps=50)
    np.testing.assert_array_equal(start, kept)
    assert not ((end > 0) & (end < np.finfo(np.float32).smallest_normal)).any()
    assert anisotropic_steps(start, TENSOR, steps=0) is not start
    assert anisotropic_steps(np.zeros((0, 4)), TENSOR).shape == (0, 4)


def test_the_largest_step_of_a_constant_tensor():
    assert largest_anisotropic_step(TENSOR, (5, 5)) == pytest.approx(1 / (2 * (1.8 - 0.6)))
    assert largest_anisotropic_step(np.eye(3), (5, 5, 5)) == pytest.approx(1 / 6)
    assert largest_anisotropic_step(np.zeros((2, 2)), (5, 5)) == math.inf


def test_a_stencil_serves_many_calls_of_its_shape_only():
    rng = np.random.default_rng(6)
    diffusion = AnisotropicDiffusion(TENSOR, (2, 3, 9, 8), {"x": "periodic"})
    for dt in (0.1, diffusion.largest_step):
        start = rng.random((2, 3, 9, 8), np.float32)
        expected = anisotropic_steps(start, TENSOR, {"x": "periodic"}, dt, 3)
        np.testing.assert_array_equal(diffusion.steps(start, dt, 3), expected)
    with pytest.raises(InputError, match=r"shape \(9, 8\) is not \(2, 3, 9, 8\)"):
        diffusion.steps(start[0, 0], 0.1)


@pytest.mark.row("S4")
@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        ([[1.0, 0.9], [0.9, 0.85]], r"negative weights; allowed: \|Dxy\| <= min\(Dxx, Dyy\)"),
        ([[1.0, 0.5], [0.2, 1.0]], "is not symmetric"),
        ([[1.0, 2.0], [2.0, 1.0]], "is not positive semidefinite"),
        ([[-1.0, 0.0], [0.0, 1.0]], "is not positive semidefinite"),
        ([[math.nan, 0.0], [0.0, 1.0]], "is not finite"),
        ([1.0, 1.0], "shape"),
        (np.eye(2)[None, None], "shape"),
        (np.eye(4), "shape"),
    ],
)
def test_tensors_it_cannot_treat_are_refused(tensor, message):
    with pytest.raises(InputError, match=message):
        anisotropic_steps(np.ones((3, 3)), tensor)


def test_the_offending_cell_is_named():
    tensors = np.broadcast_to(np.eye(2), (3, 4, 2, 2)).copy()
    tensors[2, 1] = [[4.0, 1.5], [1.5, 1.0]]
    with pytest.raises(InputError, match=r"1\.5.* of cell \(2, 1\) would need negative"):
        anisotropic_steps(np.ones((3, 4)), tensors)


@pytest.mark.parametrize(
    ("amounts", "options", "message"),
    [
        ([[math.nan]], {}, "amounts lie between nan"),
        ([[-1.0]], {}, "amounts lie between -1"),
        ([[math.inf]], {}, "amounts lie between inf"),
        ([1.0], {}, r"shape \(1,\)"),
        (np.ones((3, 3)), {"dt": 0.42}, r"dt is 0\.42; allowed: above 0, at most 0\.41666"),
        (np.ones((3, 3)), {"dt": 0.0}, "dt is 0.0"),
        (np.ones((3, 3)), {"dt": math.nan}, "dt is nan"),
        (np.ones((3, 3)), {"steps": -1}, "steps is -1"),
        (np.ones((3, 3)), {"boundaries": "open"}, "boundaries"),
        (np.ones((3, 3)), {"device": "gpu"}, "device"),
    ],
)
def test_unusable_arguments_are_refused(amounts, options, message):
    with pytest.raises(InputError, match=message):
        anisotropic_steps(amounts, TENSOR, **options)
