"""Logical clocks against an oracle that knows who heard what."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.clocks import (
    HybridClock,
    HybridTime,
    VectorClock,
    concurrent,
    happened_before,
)

# A history: who acts, and which earlier event's message arrives there (none: a local event).
HISTORIES = st.lists(st.tuples(st.integers(0, 3), st.none() | st.integers(0, 60)), max_size=40)


def causes(history):
    """Ancestors of each event, by the definition of "happened before"."""
    latest, ancestors = {}, []
    for number, (process, message) in enumerate(history):
        past = set()
        for parent in (
            latest.get(process),
            None if message is None or message >= number else message,
        ):
            if parent is not None:
                past |= ancestors[parent] | {parent}
        ancestors.append(past)
        latest[process] = number
    return ancestors


def replay(history, clocks):
    times = []
    for number, (process, message) in enumerate(history):
        if message is None or message >= number:
            times.append(clocks[process].tick())
        else:
            times.append(clocks[process].receive(times[message]))
    return times


@pytest.mark.row("C15")
@given(HISTORIES)
@settings(max_examples=150, deadline=None)
def test_vector_clocks_tell_exactly_what_happened_before(history):
    times = replay(history, [VectorClock(f"p{i}") for i in range(4)])
    ancestors = causes(history)
    for second, past in enumerate(ancestors):
        for first in range(len(history)):
            assert happened_before(times[first], times[second]) == (first in past)
            neither = first != second and first not in past and second not in ancestors[first]
            assert concurrent(times[first], times[second]) == neither


@pytest.mark.row("C15")
@given(HISTORIES, st.lists(st.integers(-500, 500), min_size=4, max_size=4), st.integers(0, 99))
@settings(max_examples=150, deadline=None)
def test_hybrid_clocks_respect_causes_and_stay_within_the_skew(history, skews, seed):
    rng = np.random.default_rng(seed)
    true = [1000]

    def physical(skew):
        return lambda: true[0] + skew

    clocks = [HybridClock(physical(skew), most_ahead=2000) for skew in skews]
    times = []
    for number, (process, message) in enumerate(history):
        true[0] += int(rng.integers(0, 3))
        clock = clocks[process]
        heard = message is not None and message < number
        times.append(clock.receive(times[message]) if heard else clock.tick())
        # Nobody's time is behind its own machine's, nor ahead of the fastest machine's.
        assert true[0] + skews[process] <= times[-1].wall <= true[0] + max(skews)
    for second, past in enumerate(causes(history)):
        assert all(times[first] < times[second] for first in past)


@pytest.mark.row("C15")
def test_hybrid_time_does_not_go_back_when_the_machine_does():
    readings = iter([100, 90, 90, 101, 101])
    clock = HybridClock(lambda: next(readings))
    times = [clock.tick() for _ in range(5)]
    assert times == [(100, 0), (100, 1), (100, 2), (101, 0), (101, 1)]


@pytest.mark.row("C15")
def test_the_order_does_not_grow_while_time_goes_on():
    """The published bound: no more than there are events within the skew."""
    true = [0]
    fast, slow = HybridClock(lambda: true[0] + 5), HybridClock(lambda: true[0])
    orders = []
    for _ in range(1000):
        true[0] += 1
        orders.append(slow.receive(fast.receive(slow.tick())).order)
    assert max(orders) <= 3


def test_a_clock_that_is_far_ahead_is_refused():
    clock = HybridClock(lambda: 1000, most_ahead=10)
    before = clock.tick()
    with pytest.raises(InputError, match="11 ns ahead"):
        clock.receive(HybridTime(1011, 0))
    assert clock.tick() == (before.wall, before.order + 1)
    assert clock.receive(HybridTime(1010, 4)) == (1010, 5)


@pytest.mark.parametrize("time", [{"a": 0}, {"a": -1}, {"a": 1.5}, {"a": True}, {"me": 2}])
def test_bad_vector_times_change_nothing(time):
    clock = VectorClock("me")
    clock.tick()
    with pytest.raises(InputError, match="time"):
        clock.receive(time)
    assert clock.tick() == {"me": 2}


@pytest.mark.parametrize("time", [(10, float("nan")), (10.5, 0), (-1, 0), (1,), (1, 2, 3)])
def test_bad_hybrid_times_change_nothing(time):
    clock = HybridClock(lambda: 10)
    clock.tick()
    with pytest.raises(InputError, match="sent"):
        clock.receive(time)
    assert clock.tick() == (10, 1)


def test_a_count_of_none_is_no_count():
    assert not happened_before({"a": 1}, {"a": 1, "b": 0})
    assert not happened_before({"a": 1, "b": 0}, {"a": 1})
    assert not concurrent({"a": 1}, {"a": 1, "b": 0})


def test_times_already_given_do_not_change():
    clock = VectorClock("me")
    first = clock.tick()
    clock.receive({"you": 3})
    assert first == {"me": 1}


def test_clocks_count_each_event_once_from_many_threads():
    vector, hybrid = VectorClock("me"), HybridClock(lambda: 5)
    times = []

    def work():
        for _ in range(500):
            vector.tick()
            times.append(hybrid.tick())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert vector.tick() == {"me": 2001}
    assert len(set(times)) == 2000


def test_bad_limit():
    with pytest.raises(InputError, match="most_ahead"):
        HybridClock(most_ahead=-1)
