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
    assert field.boundaries == {"y": ("periodic",) * 2, "x": ("reflecting",) * 2}
    assert (field.spacing, field.reference_temperature) == ((2.0, 2.0), 298.15)
    assert field.activation_energy.tolist() == [40e3, 40e3]


def test_a_field_can_be_made_again_from_what_it_says():
    one = PheromoneField((3, 1, 4), ["a"], boundaries={"x": ("absorbing", "reflecting")}, spacing=3)
    names = "boundaries", "spacing", "diffusion", "evaporation", "activation_energy"
    same = PheromoneField(one.shape, one.channels, **{name: getattr(one, name) for name in names})
    same.restore(one.snapshot())
    assert [getattr(same, name) for name in names[:2]] == [getattr(one, name) for name in names[:2]]


def test_numbers_of_numpy_are_whole_numbers():
    field = PheromoneField(np.int64(5), np.int64(2), layers=np.uint8(3))
    assert (field.shape, field.channels, field.layers) == ((5,), ("0", "1"), 3)
    assert PheromoneField(np.array([2, 3])).shape == (2, 3)
    field.deposit([[1.0]], channel=np.int32(1), layer=np.int64(2))
    field.step(np.int64(1))
    assert field.mass(np.int64(1)) == field.mass() > 0.0


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda field: field.deposit([[0, 0]], channel=0.5), "channel is 0.5"),
        (lambda field: field.deposit([[0, 0]], layer=0.5), "layer is 0.5"),
        (lambda field: field.deposit([[0, 0]], layer=2), "layer is 2"),
        (lambda field: field.sense([[0, 0]], channel=1.9), "channel is 1.9"),
        (lambda field: field.sense([[0, 0]], channel=2), "channel: 2 is"),
        (lambda field: field.sense([[0, 0]], layer=np.nan), "layer is nan"),
        (lambda field: field.mass(True), "channel is True"),
        (lambda field: field.gradient(layer=-1), "layer is -1"),
        (lambda field: field.gradient(boundaries="periodic"), "boundaries: no option"),
        (lambda field: field.gradient(axes=2), "axes: no option"),
        (
            lambda field: field.react(ReactionNetwork(("food",), []), 1.0, device="cpu"),
            "device: no",
        ),
        (lambda field: field.react(ReactionNetwork(("food",), []), 1.0, pace=1), "allowed: rel"),
        (lambda field: field.denoise(1.0, steps=2), "steps: no option"),
        (lambda field: field.denoise(1.0, 1.5), "steps is 1.5"),
        (lambda field: field.detect(rng=np.random.default_rng(0), field=1), "field: no option"),
    ],
)
def test_what_is_no_channel_layer_or_option_is_refused(call, name):
    field = busy_field()
    before = field.amounts
    with pytest.raises(InputError, match=name):
        call(field)
    np.testing.assert_array_equal(field.amounts, before)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"shape": (3, -1)}, "shape"),
        ({"shape": (2, 2, 2, 2)}, "shape"),
        ({"shape": ()}, "shape"),
        ({"shape": (2.7, 3.2)}, "shape is 2.7"),
        ({"shape": 1.5}, "shape is 1.5"),
        ({"shape": "33"}, "shape"),
        ({"channels": 0}, "channels"),
        ({"channels": ["a", "a"]}, "channels"),
        ({"channels": "abc"}, "channels"),
        ({"channels": ["a", 1]}, "channels"),
        ({"channels": 2.0}, "channels"),
        ({"channels": None}, "channels"),
        ({"layers": 0}, "layers"),
        ({"layers": 1.5}, "layers"),
        ({"layers": np.nan}, "layers"),
        ({"layers": True}, "layers"),
        ({"boundaries": "open"}, "boundaries"),
        ({"boundaries": None}, "boundaries"),
        ({"boundaries": ("reflecting",) * 3}, "boundaries"),
        ({"boundaries": {"x": ("reflecting",)}}, "boundaries"),
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
    for n, dt in ((-1, 1.0), (2.5, 1.0), (True, 1.0), (1, 2.6), (1, 0.0), (1, np.nan), (1, "1")):
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
    for bad in (before[0], *(np.full_like(before, one) for one in (np.nan, np.inf, -1.0, 2e18))):
        with pytest.raises(InputError, match="amounts"):
            field.replace(bad)
    np.testing.assert_array_equal(field.amounts, before)
    field.deposit([[0, 0]])
    field.replace(2 * before)
    np.testing.assert_array_equal(field.amounts, 2 * before)


def test_deposits_that_wait_are_gone_after_a_snapshot_is_restored():
    field = busy_field()
    before, state = field.amounts, field.snapshot()
    field.deposit([[0, 0]], 3.0)
    field.restore(state)
    np.testing.assert_array_equal(field.amounts, before)


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
    from swarmloom_protocols.stigmergy.field.snapshots import FIELD_SNAPSHOT

    field = busy_field()
    state = field.snapshot()
    state["amounts"][0, 0, 0, 0] = np.nan
    with pytest.raises(InputError, match="snapshot: amounts lie between nan"):
        field.restore(FIELD_SNAPSHOT.seal(state))


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


def test_a_gradient_is_of_the_layer_that_is_asked_for():
    field = PheromoneField((4, 6), 2, layers=3)
    amounts = np.zeros(field.amounts.shape)
    amounts[1] = np.arange(1.0, 4.0)[:, None, None] * np.arange(6.0)
    field.replace(amounts)
    for layer in range(3):
        slope = field.gradient("attraction", channel=1, layer=layer)[:, 1:-1, 1]
        np.testing.assert_array_equal(slope, np.full((4, 4), layer + 1.0))


def test_readers_see_whole_states_while_another_thread_steps():
    # Each step halves every cell, so that all cells of a whole state are the same power of two.
    field = PheromoneField((700, 700), 1, diffusion=0.0, evaporation=np.log(2.0))
    field.replace(np.full(field.amounts.shape, 2.0**50))

    def read(_):
        seen = []
        while not stepping.done():
            amounts, mass = field.amounts, field.mass() / 700**2
            seen.append((float(amounts.min()), float(amounts.max()), mass))
        return seen

    with ThreadPoolExecutor(4) as pool:
        stepping = pool.submit(lambda: [field.step() for _ in range(100)])
        readings = [one for seen in pool.map(read, range(3)) for one in seen]
    assert readings
    for low, high, mass in readings:
        assert low == high
        assert np.log2(mass) == pytest.approx(round(np.log2(mass)), abs=1e-4)


@pytest.mark.parametrize("amount", [0.0, 3e-30, 1.0, 1e18])
def test_what_may_be_put_into_a_field_may_be_done_with_it(amount):
    network = ReactionNetwork(("food", "waste"), parse_reactions("food -> waste", 0.5))
    for put in ("deposit", "replace"):
        field = PheromoneField((4, 5), ["food", "waste"])
        if put == "deposit":
            field.deposit([[1, 1], [2, 3]], amount)
        else:
            field.replace([np.full((4, 5), amount), np.zeros((4, 5))])
        field.gradient("attraction")
        field.denoise(1.0, dt=0.1)
        field.react_and_step(network, 2, dt=0.1)
        field.step(2)
        field.restore(field.snapshot())


def test_a_cell_that_would_hold_too_much_takes_nothing():
    field = PheromoneField((3, 4), 1)
    field.deposit([[0, 0], [1, 1], [2, 2]], 6e17)
    field.deposit([[0, 1], [1, 2]], [1e18, 6e17])
    before = field.amounts
    for places, amount in (([[0, 0]], 5e17), ([[2, 3], [2, 3]], 6e17), ([[0, 3]], 1.1e18)):
        with pytest.raises(InputError, match="amounts"):
            field.deposit(places, amount)
    np.testing.assert_array_equal(field.amounts, before)
    field.replace(np.zeros_like(before))
    field.deposit([[0, 1]], 1e18)
    field.replace(np.full_like(before, 9e17))
    with pytest.raises(InputError, match=r"a cell would hold 1\.4e"):
        field.deposit([[0, 1]], 5e17)


def test_amounts_that_grow_too_large_are_refused():
    field = PheromoneField((2, 2), ["food"])
    field.deposit([[0, 0]], 1e10)
    before = field.amounts
    growth = ReactionNetwork(("food",), parse_reactions("food -> 2 food", 1.0))
    for call in (lambda: field.react(growth, 25.0), lambda: field.react_and_step(growth, 25)):
        with pytest.raises(InputError, match="allowed: 0 to 1e"):
            call()
    np.testing.assert_array_equal(field.amounts, before)
    assert field.time == 0.0
