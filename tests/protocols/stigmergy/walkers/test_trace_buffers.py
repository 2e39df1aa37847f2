"""Trace buffers: the last entries exactly, ids for ever, neighbours, and snapshots."""

from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.patterns.detection import detect
from swarmloom_protocols.stigmergy.patterns.pattern import PatternKind
from swarmloom_protocols.stigmergy.walkers.trace_buffers import FORMAT, NO_DEPOSIT, TraceBuffers
from swarmloom_protocols.stigmergy.walkers.walkers import Walkers


@pytest.mark.row("S10")
def test_the_last_thousand_are_kept_exactly():
    traces, rng = TraceBuffers(2), np.random.default_rng(1)
    assert traces.capacity == 1000
    kept = deque(maxlen=1000)
    for time in range(2_345):
        places = rng.random((2, 2)).astype(np.float32)
        traces.record(places, float(time), channel=time % 8, amount=time / 4.0)
        kept.append((places[1], time, time % 8, time / 4.0))
    trace = traces.trace(1)
    places, times, channels, amounts = zip(*kept, strict=True)
    np.testing.assert_array_equal(trace.positions, places)
    assert trace.times.tolist() == list(times)
    assert trace.channels.tolist() == list(channels)
    assert trace.amounts.tolist() == list(amounts)
    assert traces.trace(1, last=3).times.tolist() == [2342.0, 2343.0, 2344.0]
    assert traces.counts.tolist() == [2_345, 2_345]


@pytest.mark.row("S10")
@settings(deadline=None)
@given(st.lists(st.sets(st.integers(0, 4), min_size=1), max_size=40), st.integers(1, 5))
def test_ids_never_collide_and_rings_equal_deques(rounds, capacity):
    traces, seen = TraceBuffers(5, capacity=capacity), []
    kept = [deque(maxlen=capacity) for _ in range(5)]
    for time, walkers in enumerate(map(sorted, rounds)):
        ids = traces.record(np.full((len(walkers), 2), time), time, walkers=walkers)
        for walker, entry in zip(walkers, ids.tolist(), strict=True):
            kept[walker].append((entry, float(time)))
        seen += ids.tolist()
    assert len(set(seen)) == len(seen)
    for walker, ring in enumerate(kept):
        trace = traces.trace(walker)
        assert list(zip(trace.ids.tolist(), trace.times.tolist(), strict=True)) == list(ring)
        assert np.all(trace.channels == NO_DEPOSIT)


@pytest.mark.row("S10")
def test_walkers_whose_sensors_meet_are_nearby():
    rng = np.random.default_rng(2)
    places = rng.uniform(0.0, 40.0, (200, 2)).astype(np.float32)
    traces = TraceBuffers(201, capacity=2)
    traces.record(np.zeros((200, 2)), 0.0, walkers=range(200))
    traces.record(places, 1.0, walkers=range(200))
    for walker in (0, 7, 199):
        apart = np.linalg.norm(places - places[walker], axis=1)
        expected = np.flatnonzero((apart <= 4.0) & (np.arange(200) != walker))
        assert traces.nearby(walker).tolist() == expected.tolist()
    # The one that has left no trace is near nobody.
    assert traces.nearby(200).size == 0
    assert np.isnan(traces.latest()[200]).all()


@pytest.mark.row("S10")
def test_a_snapshot_through_a_file_is_bit_equal_and_goes_on(tmp_path):
    traces, rng = TraceBuffers(3, dimensions=3, capacity=4), np.random.default_rng(3)
    for time in range(6):
        traces.record(rng.random((3, 3)), time, channel=[0, 1, -1], amount=0.1)
    np.savez(tmp_path / "traces.npz", **traces.snapshot())
    with np.load(tmp_path / "traces.npz") as state:
        again = TraceBuffers.restore(state)
    for one, other in ((traces, again), (again, traces)):
        for name, array in one.snapshot().items():
            np.testing.assert_array_equal(array, other.snapshot()[name])
    more = rng.random((3, 3))
    np.testing.assert_array_equal(traces.record(more, 7.0), again.record(more, 7.0))
    np.testing.assert_array_equal(traces.trace(2).positions, again.trace(2).positions)


def test_a_snapshot_is_a_copy():
    traces = TraceBuffers(1)
    state = traces.snapshot()
    traces.record([[1.0, 2.0]], 0.0)
    assert state["counts"].tolist() == [0]
    assert traces.nbytes == 8 + 1000 * (8 + 8 + 2 + 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positions": np.zeros(3)}, r"snapshot: positions of shape \(3,\)"),
        ({"times": np.zeros((1, 2))}, r"snapshot: times is of shape \(1, 2\); allowed: \(1, 3\)"),
        ({"amounts": np.full((1, 3), np.nan, np.float32)}, "snapshot: amounts has values"),
        ({"counts": np.array([-1])}, "snapshot: counts and amounts may not be negative"),
    ],
)
def test_foreign_and_damaged_snapshots_are_refused(change, message):
    state = TraceBuffers(1, capacity=3).snapshot() | change
    with pytest.raises(InputError, match=r"checksum|of type"):
        TraceBuffers.restore(state)
    # One that somebody has sealed.
    with pytest.raises(InputError, match=message):
        TraceBuffers.restore(FORMAT.seal(state))


def test_what_is_another_s_snapshot_is_refused():
    state = TraceBuffers(1, capacity=3).snapshot()
    for other in (None, {}, state | {"format": np.array("else")}):
        with pytest.raises(InputError, match="snapshot: "):
            TraceBuffers.restore(other)


def test_tracks_are_the_places_at_the_times_that_all_have():
    traces, rng = TraceBuffers(3, capacity=5), np.random.default_rng(4)
    places = rng.random((8, 3, 2)).astype(np.float32)
    for time in range(8):
        traces.record(places[time], float(time))
    np.testing.assert_array_equal(traces.tracks(), places[3:].swapaxes(0, 1))
    # A deposit of one walker pushes its oldest entry out, and is its last word on that time.
    traces.record([[9.0, 8.0]], 7.0, channel=2, amount=1.0, walkers=[1])
    tracks = traces.tracks()
    assert tracks.shape == (3, 4, 2)
    assert tracks[1, -1].tolist() == [9.0, 8.0]
    np.testing.assert_array_equal(tracks[[0, 2]], places[4:, [0, 2]].swapaxes(0, 1))
    np.testing.assert_array_equal(traces.tracks(last=2), tracks[:, -2:])
    traces.record([[1.0, 1.0]], 9.0, walkers=[0])
    assert traces.tracks().shape == (3, 4, 2)
    assert TraceBuffers(2).tracks().shape == (2, 0, 2)


def test_tracks_of_walkers_are_what_detectors_take():
    y, x = np.indices((48, 48))
    scent = np.exp(-np.hypot(y - 24.0, x - 24.0) / 12.0).astype(np.float32)
    walkers, traces = Walkers(60, (48, 48), seed=2), TraceBuffers(60)
    walkers.move(scent, 30, traces=traces)
    found = detect(scent, tracks=traces.tracks(), rng=np.random.default_rng(0), draws=99)
    assert PatternKind.CONVERGENT_TRAILS in {pattern.kind for pattern in found}


@pytest.mark.parametrize("call", ["trace", "nearby"])
@pytest.mark.parametrize("walker", [3, -1, 0.5, None])
def test_a_walker_that_is_not_there_is_refused(call, walker):
    with pytest.raises(InputError, match=r"^walker is .*; allowed: whole numbers from 0 to 2$"):
        getattr(TraceBuffers(3), call)(walker)


@pytest.mark.parametrize("last", [0, 1.5, -1])
def test_the_last_none_make_no_tracks(last):
    with pytest.raises(InputError, match=r"^last is .*; allowed: whole numbers from 1$"):
        TraceBuffers(3).tracks(last)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"positions": [[0.0, np.inf]] * 2}, r"positions\[0\] is \[0.0, inf\]"),
        ({"positions": [[0.0, 1.0]]}, r"positions: shape \(1, 2\); allowed: \(2, 2\)"),
        ({"time": np.nan}, "time is nan"),
        ({"channel": 1.5}, "channel: 1.5; allowed: whole numbers"),
        ({"walkers": [0.5, 1.0]}, "walkers: of float64; allowed: whole numbers"),
        ({"channel": -2}, "channel: -2; allowed: -1 to 32767"),
        ({"amount": [1.0, -1.0]}, r"amount: \[1.0, -1.0\]; allowed: 0 to"),
        ({"amount": [1.0] * 3}, r"amount: shape \(3,\); allowed: one value, or 2"),
        ({"walkers": [0, 2]}, r"walkers: \[0, 2\]; allowed: 0 to 1"),
        ({"walkers": [1, 1]}, "each at most once"),
    ],
)
def test_bad_entries_are_refused_and_leave_no_trace(arguments, message):
    traces = TraceBuffers(2)
    with pytest.raises(InputError, match=message):
        traces.record(**({"positions": np.zeros((2, 2)), "time": 0.0} | arguments))
    assert traces.counts.tolist() == [0, 0]


@pytest.mark.parametrize("sizes", [(0, 2, 10), (1, 4, 10), (1, 2, 0), (1.5,), (1, 2, 9.5)])
def test_bad_buffers_are_refused(sizes):
    with pytest.raises(InputError, match="allowed: whole numbers from"):
        TraceBuffers(*sizes)
