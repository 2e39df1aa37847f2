"""The chemistry as methods of the field, each with a known answer; bad input changes nothing."""

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.field.anisotropic import DiffusionByTensor, anisotropic_steps
from swarmloom_protocols.stigmergy.field.field import PheromoneField
from swarmloom_protocols.stigmergy.field.perona_malik import perona_malik_steps
from swarmloom_protocols.stigmergy.field.reaction_networks import ReactionNetwork, parse_reactions
from swarmloom_protocols.stigmergy.patterns.pattern import PatternKind

TENSOR = [[0.4, 0.2], [0.2, 0.9]]
FOOD_ALONE = ReactionNetwork(("food",), parse_reactions("food ->", 0.5))
DECAY = ReactionNetwork(("food", "waste"), parse_reactions("food -> waste", 0.5))


def noisy_field(shape=(9, 12), **options):
    field = PheromoneField(shape, ["waste", "food"], **({"layers": 2} | options))
    field.replace(np.random.default_rng(3).random(field.amounts.shape))
    return field


@pytest.mark.row("S4")
def test_a_deposit_spreads_by_the_tensor_in_units_of_length():
    field = PheromoneField((61, 61), 2, spacing=(1.0, 2.0), evaporation=0.1)
    for channel in (0, 1):
        field.deposit([[30, 30]], channel=channel)
    field.diffuse(TENSOR, 40, channel=1, dt=0.5)
    y, x = np.indices(field.shape) - 30
    places, amounts = (1.0 * y, 2.0 * x), field.amounts[1]
    grown = [[(amounts * a * b).sum(dtype=float) for b in places] for a in places]
    np.testing.assert_allclose(grown, 2 * 20.0 * np.array(TENSOR), rtol=1e-3)
    assert (field.amounts[0, 30, 30], field.time) == (1.0, 0.0)


@pytest.mark.row("S4")
def test_all_channels_and_layers_spread_as_the_function_says():
    field = noisy_field(boundaries={"y": "periodic", "x": ("absorbing", "reflecting")})
    sides = {"y": "periodic", "x": ("absorbing", "reflecting")}
    tensors = np.array(TENSOR) * np.linspace(0.5, 1.0, 12)[:, None, None]
    tensors = np.broadcast_to(tensors, (9, 12, 2, 2))
    expected = [anisotropic_steps(one, tensors, sides, 0.3, 3) for one in field.amounts]
    field.diffuse(tensors, 3, dt=0.3)
    np.testing.assert_array_equal(field.amounts, expected)


def test_a_tensor_is_known_again_by_its_values_until_four_others_came():
    kept, tensor = DiffusionByTensor("periodic"), np.array(TENSOR)
    first = kept.of(tensor, (4, 5))
    assert kept.of(tensor.copy(), (4, 5)) is first
    tensor[0, 0] = 0.5
    assert kept.of(tensor, (4, 5)) is not first
    assert kept.of(TENSOR, (4, 6)) is not first
    assert kept.of(TENSOR, (4, 5)) is first
    for factor in (2.0, 3.0, 4.0, 5.0):
        kept.of(factor * tensor, (4, 5))
    assert kept.of(TENSOR, (4, 5)) is not first


@pytest.mark.row("S4")
def test_noise_goes_and_an_edge_stays():
    field = noisy_field((8, 30))
    amounts = 0.05 * field.amounts
    amounts[..., 15:] += 2.0
    field.replace(amounts)
    expected = perona_malik_steps(amounts[1], "rational", 0.2, dt=0.2, steps=60, axes=2)
    field.denoise(0.2, 60, channel="food", conductance="rational", dt=0.2)
    np.testing.assert_array_equal(field.amounts[1], expected)
    np.testing.assert_array_equal(field.amounts[0], amounts[0])
    after, before = (one[1].std(axis=-2).mean() for one in (field.amounts, amounts))
    assert after < before / 5
    assert (field.amounts[1][..., 15] - field.amounts[1][..., 14]).min() > 1.5


@pytest.mark.row("S6")
def test_a_mode_reacts_spreads_and_evaporates_as_it_should():
    field = PheromoneField(
        (1, 32),
        ["heat", "waste", "food"],
        layers=2,
        boundaries="periodic",
        spacing=2.0,
        diffusion=[0.3, 0.8, 0.8],
        evaporation=0.1,
    )
    wave = 2.0 + np.cos(2 * np.pi * np.arange(32) / 32)
    start = np.zeros(field.amounts.shape)
    start[[0, 2], 1] = wave
    field.replace(start)
    field.react_and_step(DECAY, 16, dt=0.5)
    assert field.time == 8.0
    faded = np.exp(-8.0 * 0.8 / 4.0 * 4.0 * np.sin(np.pi / 32) ** 2)
    expected = np.exp(-8.0 * 0.1) * (2.0 + faded * (wave - 2.0))
    food, waste = np.exp(-8.0 * 0.5) * expected, (1.0 - np.exp(-8.0 * 0.5)) * expected
    assert field.amounts[:, 0].max() == 0.0
    alone = PheromoneField(
        (1, 32), 1, boundaries="periodic", spacing=2.0, diffusion=0.3, evaporation=0.1
    )
    alone.replace(wave[None, None])
    alone.step(16, dt=0.5)
    np.testing.assert_array_equal(field.amounts[0, 1], alone.amounts[0])
    np.testing.assert_allclose(field.amounts[1:, 1, 0], [waste, food], rtol=2e-4)


@pytest.mark.parametrize("shape", [(1, 6, 7), (6, 7), (1, 1, 7)])
def test_the_sides_of_a_single_layer_are_open_to_reactions_as_to_steps(shape):
    stepped, reacting = (
        PheromoneField(shape, ["food"], boundaries="absorbing", diffusion=0.1, evaporation=0.02)
        for _ in range(2)
    )
    for field in (stepped, reacting):
        field.replace(np.random.default_rng(4).random((1, *shape)))
    before = stepped.mass()
    stepped.step(2000, dt=0.001)
    reacting.react_and_step(ReactionNetwork(("food",), []), 20, dt=0.1)
    np.testing.assert_allclose(reacting.amounts, stepped.amounts, rtol=1e-3)
    # More than evaporates.
    assert stepped.mass() < 0.94 * before


def test_a_line_of_cells_loses_nothing_through_sides_that_it_has_not():
    field = PheromoneField(9, ["waste", "food"], boundaries="absorbing", evaporation=0.0)
    field.deposit([[4.0]], channel="food")
    field.denoise(5.0, 2)
    field.react_and_step(DECAY, 1, dt=0.5)
    assert field.mass() == pytest.approx(1.0, rel=1e-6)


def test_a_ring_of_walkers_is_found_about_its_centre():
    field = PheromoneField((48, 48), ["empty", "trail"], layers=2)
    angle = np.linspace(0.0, 4.0 * np.pi, 120) + np.linspace(0.0, 6.0, 12)[:, None]
    tracks = 24.0 + 12.0 * np.stack([np.sin(angle), np.cos(angle)], axis=-1)
    field.deposit(tracks, channel="trail", layer=1)
    options = {"channel": "trail", "layer": 1, "rng": np.random.default_rng(0)}
    found = field.detect(tracks=tracks, kinds=["CircularReinforcement"], **options)
    assert [pattern.kind for pattern in found] == [PatternKind.CIRCULAR_REINFORCEMENT]
    assert found[0].location == pytest.approx((24.0, 24.0), abs=0.5)
    with pytest.raises(InputError, match="kinds"):
        field.detect(kinds=["WavePropagation"], **options)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda field: field.diffuse([[1.0, 2.0], [2.0, 1.0]]), "tensor"),
        (lambda field: field.diffuse([[0.1, 0.2], [0.2, 0.9]], dt=0.1), "tensor"),
        (lambda field: field.diffuse(np.eye(3), dt=0.1), "tensor: shape"),
        (lambda field: field.diffuse(TENSOR, dt=0.46), "dt is"),
        (lambda field: field.diffuse(TENSOR, -1, dt=0.1), "steps is"),
        (lambda field: field.diffuse(TENSOR, channel="fod", dt=0.1), "channel"),
        (lambda field: field.denoise(0.0), "threshold"),
        (lambda field: field.denoise(1.0, dt=0.3), "dt is"),
        (lambda field: field.denoise(1.0, channel=7), "channel"),
        (lambda field: field.react_and_step(ReactionNetwork(("fuel",), [])), "channel"),
        (lambda field: field.react_and_step(DECAY, dt=2.6), "dt is"),
        (lambda field: field.react_and_step(DECAY, -1), "steps is"),
        (lambda field: field.react_and_step(FOOD_ALONE, 2.0, dt=0.1), "steps is 2.0"),
        (lambda field: field.react_and_step(FOOD_ALONE, 2, dt=2.6), "dt is"),
        (lambda field: field.react_and_step(DECAY, boundaries="periodic"), "boundaries: no"),
        (lambda field: field.diffuse(TENSOR, 1.5, dt=0.1), "steps is 1.5"),
        (lambda field: field.react_and_step(DECAY, 1, most_steps=0), "most_steps"),
        (lambda field: field.detect(rng=np.random.default_rng(0), layer=2), "layer"),
        (lambda field: field.detect(rng=np.random.default_rng(0), level=2.0), "level"),
    ],
)
def test_bad_input_is_named_and_changes_nothing(call, name):
    field = noisy_field()
    before = field.amounts
    with pytest.raises(InputError, match=name):
        call(field)
    np.testing.assert_array_equal(field.amounts, before)
    assert field.time == 0.0


def test_reactions_need_cells_of_equal_sides():
    with pytest.raises(InputError, match="spacing"):
        noisy_field(spacing=(1.0, 2.0)).react_and_step(DECAY, dt=0.1)


@pytest.mark.parametrize("shape", [(0, 3), (1, 1)])
def test_grids_of_no_cell_and_of_one(shape):
    field = noisy_field(shape)
    field.diffuse(TENSOR, dt=0.1)
    field.denoise(1.0)
    field.react_and_step(DECAY, 2, dt=0.1)
    assert field.amounts.shape == (2, 2, *shape)
