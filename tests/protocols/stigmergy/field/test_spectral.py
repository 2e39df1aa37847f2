"""Exact jumps: equal to many steps, to the limit of small steps, and to known solutions."""

import itertools

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.field.field import PheromoneField

KINDS = [
    "periodic",
    "reflecting",
    "absorbing",
    ("absorbing", "reflecting"),
    ("reflecting", "absorbing"),
]


def pair(shape, kinds, seed=0):
    """Two equal fields."""
    axes = "zyx"[3 - len(shape) :]
    both = [
        PheromoneField(
            shape,
            2,
            boundaries=dict(zip(axes, kinds, strict=True)),
            diffusion=[0.1, 0.03],
            evaporation=[0.001, 0.0],
        )
        for _ in range(2)
    ]
    amounts = np.random.default_rng(seed).random((2, *shape)).astype(np.float32)
    for field in both:
        field.replace(amounts)
    return both


def distance(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.mark.row("S3")
@pytest.mark.parametrize("shape", [(9,), (7, 6), (8, 1), (3, 4, 5)])
def test_a_jump_equals_the_same_number_of_steps(shape):
    for kinds in itertools.product(KINDS, repeat=len(shape)):
        stepped, jumped = pair(shape, kinds)
        stepped.step(200)
        jumped.advance(200.0, scheme="steps")
        assert distance(jumped.amounts, stepped.amounts) <= 1e-5, kinds
        assert jumped.time == stepped.time == 200.0


@pytest.mark.row("S3")
@pytest.mark.parametrize("scheme", ["exact", "steps"])
def test_each_layer_jumps_with_its_channels_rates_at_the_temperature(scheme):
    coefficients = {
        "diffusion": [0.02, 0.2],
        "evaporation": [0.004, 0.05],
        "activation_energy": [0.0, 60e3],
    }
    stepped, jumped = (
        PheromoneField((9, 8), 2, layers=2, temperature=310.0, **coefficients) for _ in range(2)
    )
    amounts = np.random.default_rng(2).random(jumped.amounts.shape)
    for field in (stepped, jumped):
        field.replace(amounts)
    # Steps are near enough to the limit of small ones to tell rates that differ by so much.
    stepped.step(400, dt=0.1)
    jumped.advance(40.0, scheme=scheme, dt=0.1)
    for which in np.ndindex(2, 2):
        assert distance(jumped.amounts[which], stepped.amounts[which]) <= (
            5e-3 if scheme == "exact" else 1e-5
        )
    kept = jumped.amounts.sum(axis=(2, 3)) / amounts.sum(axis=(2, 3))
    warm = 0.05 * np.exp(60e3 / 8.31446261815324 * (1.0 / 298.15 - 1.0 / 310.0))
    expected = np.exp(-40.0 * np.array([[0.004], [warm]]))
    np.testing.assert_allclose(kept, np.broadcast_to(expected, (2, 2)), rtol=1e-4)


@pytest.mark.row("S3")
@pytest.mark.parametrize("kinds", [(kind, "reflecting") for kind in KINDS])
def test_the_exact_jump_is_the_limit_of_small_steps(kinds):
    errors = []
    for steps in (200, 400):
        stepped, jumped = pair((12, 11), kinds)
        stepped.step(steps, dt=20.0 / steps)
        jumped.advance(20.0)
        errors.append(distance(stepped.amounts, jumped.amounts))
    assert errors[0] < 1e-3
    assert errors[1] == pytest.approx(errors[0] / 2, rel=0.05)


def test_jumps_add_up():
    once, twice = pair((10, 12), ("periodic", ("reflecting", "absorbing")))
    once.advance(50.0)
    twice.advance(20.0)
    twice.advance(30.0)
    np.testing.assert_allclose(twice.amounts, once.amounts, rtol=2e-6)


def test_a_few_steps_are_taken_one_by_one():
    stepped, jumped = pair((10, 12), ("periodic", "absorbing"))
    stepped.step(5, dt=0.5)
    jumped.advance(2.5, scheme="steps", dt=0.5)
    np.testing.assert_array_equal(jumped.amounts, stepped.amounts)


def test_mass_is_kept_and_nothing_becomes_negative_or_larger_than_it_was():
    field = PheromoneField((64, 48), 1, diffusion=0.3, evaporation=0.0)
    field.deposit([[3, 40]], 1000.0)
    field.advance(1e-3)
    assert field.amounts.min() >= 0.0
    assert field.amounts.max() <= 1000.0
    assert field.mass() == pytest.approx(1000.0, rel=1e-6)
    field.advance(1e6)
    np.testing.assert_allclose(field.amounts, 1000.0 / field.amounts.size, rtol=1e-5)


def test_without_diffusion_only_evaporation_is_left():
    field = PheromoneField((4, 4), 1, diffusion=0.0, evaporation=0.5)
    field.deposit([[1, 2]], 8.0)
    field.advance(np.log(4.0) / 0.5)
    assert field.mass() == pytest.approx(2.0, rel=1e-6)
    field.advance(1e9)
    assert field.mass() == 0.0


@pytest.mark.parametrize("shape", [(0, 5), (1, 1), (1,)])
def test_empty_and_one_cell_grids(shape):
    field = PheromoneField(shape, 1, diffusion=0.1, evaporation=0.0)
    field.advance(10.0)
    field.advance(1000.0, scheme="steps")
    assert field.mass() == 0.0


def test_bad_times_are_refused():
    field = PheromoneField((4, 4), 1)
    field.deposit([[1, 1]])
    for time, options in ((-1.0, {}), (np.nan, {}), (1.5, {"scheme": "steps"})):
        with pytest.raises(InputError, match="time"):
            field.advance(time, **options)
    with pytest.raises(InputError, match="at most"):
        field.advance(3000.0, scheme="steps", dt=3.0)
    with pytest.raises(InputError, match="scheme"):
        field.advance(1.0, scheme="euler")
    assert (field.time, field.mass()) == (0.0, 1.0)
