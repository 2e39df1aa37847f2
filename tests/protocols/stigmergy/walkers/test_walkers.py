"""Walkers: the edges of the grid, the same numbers on any threads, and what they refuse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom import device
from swarmloom.device import use_threads
from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.walkers.strategies import (
    STRATEGIES,
    BiasedRandomWalk,
    LevyFlight,
    SpiralSearch,
)
from swarmloom_protocols.stigmergy.walkers.trace_buffers import TraceBuffers
from swarmloom_protocols.stigmergy.walkers.walkers import Walkers
from tests.naive import walkers as naive
from tests.protocols.cuda_cases.walkers import CASES, STIGMERGY

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
    case = CASES[f"{STIGMERGY}.strategy_cuda.move"]
    arguments = case.arguments(np.random.default_rng(size), size)
    np.testing.assert_allclose(
        case.public(*arguments), case.naive(*arguments), rtol=2e-6, atol=1e-6
    )


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": -1}, "count is -1"),
        ({"bounds": (5,)}, r"bounds is \(5,\); allowed: 2 or 3 sizes"),
        ({"bounds": (5, 0)}, r"bounds is \(5, 0\)"),
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
        ({"field": np.ones((5, 5)), "channel": 1}, "channel is 1; allowed: 0 to 0"),
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
