"""Walkers: the edges of the grid, the same numbers on any threads, and what they refuse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom import device
from swarmloom.device import use_threads
from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.field.field import PheromoneField
from swarmloom_protocols.stigmergy.walkers.sensors import Sensors
from swarmloom_protocols.stigmergy.walkers.snapshots import FORMAT
from swarmloom_protocols.stigmergy.walkers.strategies import (
    STRATEGIES,
    BiasedRandomWalk,
    BoundaryFollow,
    GradientAscent,
    LevyFlight,
    SpiralSearch,
    SwarmCentering,
)
from swarmloom_protocols.stigmergy.walkers.trace_buffers import TraceBuffers
from swarmloom_protocols.stigmergy.walkers.walkers import Walkers
from tests.naive import walkers as naive
from tests.protocols.cuda_cases.walkers import moves, moving, naive_moves

STRAIGHT = BiasedRandomWalk(drift=1.0, noise=0.0)


def runner(place, way, boundaries, speed=1.0, size=10):
    return Walkers(
        1,
        (size, size),
        strategy=BiasedRandomWalk(drift=speed, noise=0.0),
        positions=[place],
        headings=[way],
        boundaries=boundaries,
    )


def test_a_periodic_edge_is_passed():
    walker = runner([5.0, 9.0], [0.0, 1.0], "periodic")
    walker.move()
    np.testing.assert_allclose(walker.positions, [[5.0, 0.0]])
    np.testing.assert_allclose(walker.headings, [[0.0, 1.0]])


def test_a_reflecting_edge_mirrors_way_and_heading():
    walker = runner([5.0, 9.0], [0.0, 1.0], "reflecting", speed=1.2)
    walker.move()
    np.testing.assert_allclose(walker.positions, [[5.0, 8.8]], rtol=1e-6)
    np.testing.assert_allclose(walker.headings, [[0.0, -1.0]])


def test_an_absorbing_edge_stops_for_good():
    walker = runner([5.0, 9.0], [0.0, 1.0], {"x": ("reflecting", "absorbing")})
    walker.move(steps=5)
    assert walker.stopped.tolist() == [True]
    assert 9.49 < walker.positions[0, 1] < 9.5
    walker.strategy = LevyFlight()
    before = walker.positions
    walker.move(steps=5)
    np.testing.assert_array_equal(walker.positions, before)


@pytest.mark.parametrize("boundaries", ["periodic", "reflecting", "absorbing"])
def test_after_any_flight_walkers_are_in_a_cell(boundaries):
    strategy = LevyFlight(exponent=1.2, max_length=1e6)
    walkers = Walkers(5_000, (7, 131), strategy=strategy, boundaries=boundaries, seed=1)
    for _ in range(5):
        walkers.move()
        assert np.all(walkers.cells >= 0)
        assert np.all(walkers.cells < [7, 131])
    assert (walkers.stopped.mean() > 0.99) == (boundaries == "absorbing")
    assert walkers.stopped.any() == (boundaries == "absorbing")


@settings(deadline=None, max_examples=60)
@given(
    st.floats(-60.0, 60.0, width=32),
    st.sampled_from(["reflecting", "absorbing"]),
    st.sampled_from(["reflecting", "absorbing"]),
    st.floats(-0.5, 7.5, width=32),
)
def test_edges_equal_the_naive_reference(speed, low, high, start):
    way = [0.0, 1.0 if speed >= 0.0 else -1.0]
    sides = {"x": (low, high)}
    walker = runner([3.0, start], way, sides, speed=abs(speed), size=8)
    walker.move()
    place, turned, stops = naive.on_axis(start + speed, 8, (low, high))
    np.testing.assert_allclose(walker.positions[0, 1], place, atol=2e-5)
    assert walker.stopped[0] == stops
    if not stops and abs(abs(place - 3.5) - 4.0) > 1e-4:
        assert walker.headings[0, 1] == (-way[1] if turned else way[1])


@pytest.mark.parametrize("size", [1, 60])
def test_all_strategies_equal_the_naive_reference(size):
    arguments = moving(np.random.default_rng(size), size)
    np.testing.assert_allclose(moves(*arguments), naive_moves(*arguments), rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("name", STRATEGIES)
def test_results_do_not_depend_on_threads_or_portions(name, monkeypatch):
    field = np.random.default_rng(0).random((40, 50), np.float32)

    def ends(threads, portions):
        walkers = Walkers(300, field.shape, strategy=STRATEGIES[name](), seed=7)
        with use_threads(threads):
            for steps in portions:
                walkers.move(field, steps)
        return walkers.positions

    expected = ends(1, [6])
    np.testing.assert_array_equal(ends(1, [1, 2, 3]), expected)
    monkeypatch.setattr(device, "BAND_ELEMENTS", 700)
    np.testing.assert_array_equal(ends(3, [6]), expected)


def test_seeds_differ_and_a_seed_repeats_itself():
    def ends(seed):
        walkers = Walkers(20, (50, 50), strategy=LevyFlight(), seed=seed)
        walkers.move(steps=3)
        return walkers.positions

    np.testing.assert_array_equal(ends(1), ends(np.random.default_rng(1)))
    assert not np.any(ends(1) == ends(2))


def test_walkers_of_one_place_part():
    walkers = Walkers(1_000, (99, 99), strategy=LevyFlight(), positions=np.full((1_000, 2), 49.0))
    walkers.move()
    assert len(np.unique(walkers.positions, axis=0)) == 1_000


def test_each_step_is_recorded():
    walkers = Walkers(3, (50, 50), strategy=LevyFlight(), seed=1)
    traces = TraceBuffers(3, capacity=4)
    walkers.move(steps=6, traces=traces)
    last = traces.trace(1)
    assert last.times.tolist() == [3.0, 4.0, 5.0, 6.0]
    np.testing.assert_array_equal(last.positions[-1], walkers.positions[1])


def test_a_spiral_begins_where_its_strategy_is_set():
    walkers = Walkers(1, (99, 99), strategy=STRAIGHT, positions=[[49.0, 20.0]], headings=[[0, 2.0]])
    walkers.move(steps=29)
    walkers.strategy = SpiralSearch(arm_spacing=1.0)
    walkers.move(steps=200)
    assert np.hypot(*(walkers.positions[0] - 49.0)) == pytest.approx(np.sqrt(200 / np.pi), rel=0.02)


def test_none_of_them_is_nothing_to_move():
    walkers = Walkers(0, (5, 5), strategy=LevyFlight())
    walkers.move(steps=3)
    assert walkers.positions.shape == (0, 2)


def test_nan_is_not_perceived_and_a_read_only_field_is_enough():
    field = np.full((20, 20), np.nan, np.float32)
    field.flags.writeable = False
    walkers = Walkers(50, (20, 20), seed=1)
    walkers.move(field, steps=5)
    assert np.isfinite(walkers.positions).all()


def test_the_last_place_below_the_upper_edge_is_in_the_last_cell():
    last = np.nextafter(np.float32(4.5), np.float32(0.0))
    walkers = Walkers(2, (5, 5), positions=[[last, -0.5], [4.0, last]])
    assert walkers.cells.tolist() == [[4, 0], [4, 4]]


def test_no_drawn_place_is_rounded_up_to_the_edge():
    class Last(np.random.Generator):
        def random(self, shape):
            return np.full(shape, np.nextafter(1.0, 0.0))

    walkers = Walkers(3, (5, 131072, 7), seed=Last(np.random.PCG64(0)))
    assert walkers.cells.tolist() == [[4, 131071, 6]] * 3


@pytest.mark.parametrize("length", [1e300, 1e-300, 5.0])
def test_headings_of_any_length_are_unit_vectors(length):
    walkers = Walkers(1, (5, 5), headings=[[3.0 * length, -4.0 * length]])
    np.testing.assert_allclose(walkers.headings, [[0.6, -0.8]], rtol=1e-6)


def a_field():
    """Three layers of two channels; the third layer of "alarm" rises to one corner."""
    field = PheromoneField((5, 5), ["food", "alarm"], layers=3, device="cpu")
    amounts = np.zeros((2, 3, 5, 5), np.float32)
    amounts[1, 2] = np.add.outer(np.arange(5.0), np.arange(5.0))
    field.replace(amounts)
    return field


@pytest.mark.parametrize("channel", ["alarm", 1])
def test_a_pheromone_field_is_sensed_by_channel_and_layer(channel):
    # The threshold of "food" would hide everything: each channel has its own.
    climb = GradientAscent(sensors=Sensors(thresholds=(100.0, 0.0)))
    given, plain = (Walkers(20, (5, 5), strategy=climb, seed=1) for _ in range(2))
    given.move(a_field(), 6, channel=channel, layer=2)
    climb = GradientAscent(sensors=Sensors(thresholds=0.0))
    plain.strategy = climb
    plain.move(a_field().view()[1, 2], 6)
    np.testing.assert_array_equal(given.positions, plain.positions)
    assert (given.positions > 3.0).all()
    other = Walkers(20, (5, 5), strategy=climb, seed=1)
    other.move(a_field(), 6, channel=channel, layer=1)
    assert not np.array_equal(given.positions, other.positions)


SNAPSHOT_KINDS = {"y": ("absorbing", "reflecting"), "x": "periodic"}
GROUND = np.add.outer(np.arange(30.0), np.arange(40.0)).astype(np.float32)


def on_the_way(strategy, seed=5):
    walkers = Walkers(40, (30, 40), strategy=strategy, boundaries=SNAPSHOT_KINDS, seed=seed)
    walkers.move(GROUND, 7)
    return walkers


@pytest.mark.row("S14")
@pytest.mark.parametrize(
    "strategy",
    [
        GradientAscent(step=0.7, sensors=Sensors(thresholds=(0.3,))),
        BiasedRandomWalk(drift=np.float32(0.1), noise=1 / 3, along="gradient"),
        BiasedRandomWalk(),
        LevyFlight(exponent=1.7, max_length=30.0),
        SpiralSearch(step=1.3),
        BoundaryFollow(level=20.0, clockwise=True),
        SwarmCentering(radius=4.0),
    ],
    ids=lambda strategy: type(strategy).__name__,
)
def test_walkers_from_a_file_go_on_to_the_bit(strategy, tmp_path):
    walkers = on_the_way(strategy)
    np.savez(tmp_path / "walkers.npz", **walkers.snapshot())
    other = Walkers(40, (30, 40), boundaries=SNAPSHOT_KINDS, seed=99)
    with np.load(tmp_path / "walkers.npz") as state:
        other.restore(state)
    assert other.steps_taken == 7
    for one in (walkers, other):
        one.move(GROUND, 9)
    ours, theirs = walkers.snapshot(), other.snapshot()
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name], err_msg=name)


def altered(state, name):
    changed = state[name].copy()
    changed.reshape(-1)[-1:] += 1
    return state | {name: changed}


@pytest.mark.row("S14")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: None, "snapshot: NoneType; allowed"),
        (lambda state: {}, "snapshot: format and version"),
        (lambda state: state | {"version": np.array(2)}, "snapshot: format and version"),
        (lambda state: TraceBuffers(3).snapshot(), "snapshot: format and version"),
        (lambda state: {n: state[n] for n in state if n != "seed"}, "snapshot: seed missing"),
        (lambda state: altered(state, "steps_taken"), "checksum"),
        (lambda state: altered(state, "positions"), "checksum"),
        (lambda state: altered(state, "state"), "checksum"),
        (lambda state: state | {"headings": state["headings"].astype(float)}, "of type float64"),
        (lambda state: Walkers(41, (30, 40)).snapshot(), r"positions of shape \(3, 41\)"),
        (lambda state: Walkers(40, (30, 41)).snapshot(), "another grid or other boundaries"),
        (lambda state: Walkers(40, (30, 40)).snapshot(), "another grid or other boundaries"),
        (lambda state: FORMAT.seal(state | {"seed": -1}), "seed is -1"),
        (lambda state: FORMAT.seal(state | {"steps_taken": -1}), "steps_taken is -1"),
        (lambda state: FORMAT.seal(state | {"positions": state["positions"] + 40}), "positions"),
        (lambda state: FORMAT.seal(state | {"strategy": "[]"}), "strategy"),
        (lambda state: FORMAT.seal(state | {"strategy": '["LevyFlight", {"a": 1}]'}), "strategy"),
    ],
)
def test_what_is_no_snapshot_of_these_walkers_changes_nothing(change, message):
    walkers = on_the_way(LevyFlight())
    before = walkers.snapshot()
    with pytest.raises(InputError, match=message):
        walkers.restore(change(walkers.snapshot()))
    after = walkers.snapshot()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_a_strategy_of_one_s_own_has_no_snapshot():
    class Mine(LevyFlight):
        pass

    with pytest.raises(InputError, match="strategy: Mine has no snapshot"):
        Walkers(1, (5, 5), strategy=Mine()).snapshot()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": -1}, "count is -1"),
        ({"count": 2.0}, "count is 2.0; allowed: whole numbers"),
        ({"bounds": (5.9, 5)}, r"bounds\[0\] is 5.9; allowed: whole numbers from 1"),
        ({"bounds": 5}, "bounds is 5; allowed: 2 or 3 sizes"),
        ({"seed": -1}, "seed is -1; allowed: whole numbers from 0"),
        ({"seed": 1.5}, "seed is 1.5; allowed: whole numbers from 0"),
        ({"positions": [[4.5, 2.0]] * 2}, r"positions\[0\] is \[4.5, 2.0\]; .* without the upper"),
        ({"positions": [[1.0, 4.4999999999]] * 2}, r"positions\[0\] is \[1.0, 4.4999999999\]"),
        ({"positions": [[-0.51, 2.0]] * 2}, r"positions\[0\]"),
        ({"bounds": (5,)}, r"bounds is \(5,\); allowed: 2 or 3 sizes"),
        ({"bounds": (5, 0)}, r"bounds\[1\] is 0; allowed: whole numbers from 1"),
        ({"positions": [[0.0, 0.0]]}, "positions: 1 of them; allowed: 2"),
        ({"positions": [[0.0, 5.0], [0.0, 0.0]]}, r"positions\[0\] is \[0.0, 5.0\]"),
        ({"positions": [[0.0, 1.0, 2.0]] * 2}, "positions: 3 coordinates; allowed: 2"),
        ({"headings": [[0.0, 1.0], [0.0, 0.0]]}, r"headings\[1\] is of length 0"),
        ({"headings": [[0.0, 1.0]]}, r"headings: shape \(1, 2\)"),
        ({"boundaries": ("periodic", "absorbing")}, "periodic at one side only"),
        ({"strategy": "LevyFlight"}, "strategy: 'LevyFlight' is not a Strategy"),
    ],
)
def test_bad_walkers_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        Walkers(**({"count": 2, "bounds": (5, 5)} | arguments))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "field: GradientAscent needs one"),
        ({"field": np.ones((5, 6))}, r"field: a grid of \(5, 6\); allowed: .* \(5, 5\)"),
        (
            {"field": np.ones((5, 5)), "channel": 1},
            "channel is 1; allowed: whole numbers from 0 to 0",
        ),
        ({"field": np.ones((5, 5)), "channel": 0.0}, "channel is 0.0"),
        ({"field": np.ones((5, 5)), "channel": "food"}, r"channel: 'food' is not among the names"),
        ({"field": np.ones((5, 5)), "layer": 1}, "layer is 1"),
        ({"field": a_field(), "channel": "water"}, r"'water' is not among the names \['food', "),
        ({"field": a_field(), "channel": 2}, "channel is 2; allowed: whole numbers from 0 to 1"),
        ({"field": a_field(), "layer": 3}, "layer is 3; allowed: whole numbers from 0 to 2"),
        ({"field": PheromoneField(5, 5)}, r"field: a grid of \(5,\); allowed: 2 axes"),
        ({"field": PheromoneField((5, 6), 1)}, r"field: a grid of \(5, 6\); allowed: that of the"),
        ({"field": np.ones((5, 5)), "steps": 2.5}, "steps is 2.5; allowed: whole numbers from 0"),
        ({"field": np.ones((5, 5)), "steps": 2.0}, "steps is 2.0"),
        ({"field": np.ones((5, 5)), "steps": -1}, "steps is -1"),
        ({"field": np.ones((5, 5)), "steps": 2**31 + 1}, "steps is 2147483649"),
        ({"field": np.ones((5, 5)), "traces": TraceBuffers(3)}, "traces: for 3 walkers in 2-D"),
        ({"field": np.ones((5, 5)), "device": "tpu"}, "device: 'tpu'"),
    ],
)
def test_bad_moves_are_refused_and_move_nobody(arguments, message):
    walkers = Walkers(2, (5, 5))
    before = walkers.positions
    with pytest.raises(InputError, match=message):
        walkers.move(**arguments)
    np.testing.assert_array_equal(walkers.positions, before)
    assert walkers.steps_taken == 0
