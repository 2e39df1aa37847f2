"""The field as a whole: arguments, amounts, snapshots, threads, idle times."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.field.field import PheromoneField
from swarmloom_protocols.stigmergy.field.reaction_networks import ReactionNetwork, parse_reactions


def busy_field(**options):
    """A field in the middle of its life."""
    field = PheromoneField(
        (6, 7),
        ["food", "alarm"],
        layers=2,
        boundaries={"y": "periodic"},
        spacing=2.0,
        diffusion={"food": 0.4},
        evaporation=[0.01, 0.1],
        activation_energy=40e3,
        **options,
    )
    field.temperature = 300.0
    rng = np.random.default_rng(8)
    for channel in field.channels:
        field.deposit(rng.uniform(0, 5, (9, 2)), rng.random(9), channel=channel, layer=1)
    field.step(3)
    return field


def test_it_says_what_it_is():
    field = busy_field()
    assert field.shape == (6, 7)
    assert field.channels == ("food", "alarm")
    assert (field.layers, field.device, field.time, field.temperature) == (2, "cpu", 3.0, 300.0)
    assert field.diffusion.tolist() == [0.4, 0.0]
    assert field.evaporation[1] > 0.1
    assert field.largest_step == pytest.approx(2.5, rel=1e-5)
    assert PheromoneField(5).channels == tuple("01234567")


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"shape": (3, -1)}, "shape"),
        ({"shape": (2, 2, 2, 2)}, "shape"),
        ({"channels": 0}, "channels"),
        ({"channels": ["a", "a"]}, "channels"),
        ({"layers": 0}, "layers"),
        ({"layers": 1.5}, "layers"),
        ({"boundaries": "open"}, "boundaries"),
        ({"spacing": 0.0}, "spacing"),
        ({"spacing": [1.0, 1.0, 1.0]}, "spacing"),
        ({"diffusion": -0.1}, "diffusion"),
        ({"diffusion": {"fod": 0.1}}, "diffusion"),
        ({"evaporation": np.nan}, "evaporation"),
        ({"evaporation": [0.1, 0.2, 0.3]}, "evaporation"),
        ({"temperature": -1.0}, "temperature"),
        ({"device": "tpu"}, "device"),
    ],
)
def test_bad_arguments_are_named(options, name):
    with pytest.raises(InputError, match=f"^{name}"):
        PheromoneField(**({"shape": (3, 3), "channels": 2} | options))


def test_steps_that_are_not_allowed_change_nothing():
    field = busy_field()
    before = field.amounts
    for n, dt in ((-1, 1.0), (1, 2.6), (1, 0.0), (1, np.nan)):
        with pytest.raises(InputError, match=r"^(n|dt) is"):
            field.step(n, dt=dt)
    np.testing.assert_array_equal(field.amounts, before)
    assert field.time == 3.0


def test_amounts_are_a_copy_and_the_view_cannot_be_written():
    field = busy_field()
    copy = field.amounts
    copy[...] = 7.0
    assert field.mass() < 7.0
    with pytest.raises(ValueError, match="read-only"):
        field.view()[...] = 7.0
    assert field.mass("food") + field.mass(1) == pytest.approx(field.mass())


def test_amounts_can_be_replaced_by_finite_ones_of_the_same_shape():
    field = busy_field()
    before = field.amounts
    for bad in (before[0], np.full_like(before, np.nan), np.full_like(before, np.inf)):
        with pytest.raises(InputError, match="amounts"):
            field.replace(bad)
    np.testing.assert_array_equal(field.amounts, before)
    field.deposit([[0, 0]])
    field.replace(2 * before)
    np.testing.assert_array_equal(field.amounts, 2 * before)


@pytest.mark.row("S14")
def test_a_snapshot_restores_every_bit_through_a_file():
    field, file = busy_field(), io.BytesIO()
    np.savez(file, **field.snapshot())
    file.seek(0)
    other = PheromoneField(
        (6, 7), ["food", "alarm"], layers=2, boundaries={"y": "periodic"}, spacing=2.0
    )
    with np.load(file) as state:
        other.restore(state)
    for one in (field, other):
        one.deposit([[1, 2]], 0.3)
        one.step(5)
    np.testing.assert_array_equal(other.amounts, field.amounts)
    assert (other.time, other.temperature) == (field.time, field.temperature)


def altered(state, name, value):
    return state | {name: np.array(value)}


@pytest.mark.row("S14")
@pytest.mark.parametrize(
    "damage",
    [
        lambda state: {},
        lambda state: {name: state[name] for name in state if name != "temperature"},
        lambda state: altered(state, "format", "another"),
        lambda state: altered(state, "version", 2),
        lambda state: altered(state, "time", 1e3),
        lambda state: altered(state, "amounts", np.where(state["amounts"] > 0, np.nan, 0)),
        lambda state: altered(state, "amounts", state["amounts"].astype(np.float64)),
        lambda state: altered(state, "checksum", "0" * 32),
        lambda state: PheromoneField((6, 7), ["food", "alarm"], layers=2).snapshot(),
        lambda state: PheromoneField((7, 6)).snapshot(),
    ],
)
def test_a_damaged_or_foreign_snapshot_is_refused(damage):
    field = busy_field()
    before, state = field.amounts, field.snapshot()
    with pytest.raises(InputError, match="snapshot"):
        field.restore(damage(state))
    np.testing.assert_array_equal(field.amounts, before)


@pytest.mark.row("S14")
def test_a_snapshot_with_a_valid_seal_but_amounts_that_cannot_be_is_refused():
    from swarmloom_protocols.stigmergy.field.snapshots import sealed_snapshot

    field = busy_field()
    state = field.snapshot()
    state["amounts"][0, 0, 0, 0] = np.nan
    with pytest.raises(InputError, match="snapshot: amounts lie between nan"):
        field.restore(sealed_snapshot(state))


@pytest.mark.parametrize("shape", [(0,), (0, 4), (3, 0, 2), (1,), (1, 1), (1, 1, 1)])
def test_empty_and_one_cell_grids_live(shape):
    field = PheromoneField(shape, 1, diffusion=0.1, evaporation=0.0)
    if 0 in shape:
        with pytest.raises(InputError, match="positions"):
            field.deposit(np.zeros((1, len(shape))))
    else:
        field.deposit(np.zeros((1, len(shape))), 2.0)
    before = field.mass()
    field.step(3)
    field.advance(5.0)
    field.restore(field.snapshot())
    assert field.mass() == pytest.approx(before)


def test_eight_threads_may_call_anything():
    field = PheromoneField((40, 40), 2, diffusion=0.1, evaporation=0.0)
    positions = np.random.default_rng(9).uniform(0, 39, (50, 2))

    def work(thread):
        for _ in range(10):
            field.deposit(positions, 0.5, channel=thread % 2)
            assert field.sense(positions).min() >= 0.0
            field.step(1 + thread % 3)
            field.advance(1.0)
            field.snapshot()
            field.mass()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert field.mass() == pytest.approx(8 * 10 * 50 * 0.5, rel=1e-5)
    assert field.time == sum(10 * (1 + thread % 3 + 1) for thread in range(8))


def test_channels_react_by_name():
    field = PheromoneField((3, 4), ["waste", "food", "heat"], layers=2)
    field.deposit([[1, 1], [2, 3]], [2.0, 1.0], channel="food", layer=1)
    network = ReactionNetwork(("food", "waste"), parse_reactions("food -> waste", 0.5))
    field.react(network, 3.0)
    left = 3.0 * np.exp(-1.5)
    assert field.mass("food") == pytest.approx(left, rel=1e-4)
    assert field.mass("waste") == pytest.approx(3.0 - left, rel=1e-4)
    assert (field.mass("heat"), field.time) == (0.0, 0.0)
    assert field.amounts[0, 0].max() == 0.0
    with pytest.raises(InputError, match="channel"):
        field.react(ReactionNetwork(("fuel",), []), 1.0)


def test_a_gradient_leads_uphill_and_sees_the_boundaries():
    field = PheromoneField((4, 6), 2, boundaries={"x": "periodic"})
    slope = np.zeros((2, 4, 6), np.float32)
    slope[1] = 2.0 * np.arange(4)[:, None]
    field.replace(slope)
    vectors = field.gradient("attraction", channel=1)
    assert vectors.shape == (4, 6, 2)
    np.testing.assert_allclose(vectors[1:3], np.broadcast_to([2.0, 0.0], (2, 6, 2)), atol=1e-6)
    field.deposit([[0, 5]], 3.0)
    assert field.gradient("attraction", channel=0)[0, 0, 1] < 0.0
