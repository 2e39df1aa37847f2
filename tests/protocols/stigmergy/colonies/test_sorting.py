"""Sorting: against plain loops, conservation, falling entropy and growing heaps."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom.device import use_threads
from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.colonies.sorting import (
    Response,
    SortingColony,
    heap_sizes,
    scatter,
    spatial_entropy,
)
from tests.naive import sorting as naive


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([Response(), Response(radius=1, heed=0.5), Response(pick=0.5, drop=0.05)]),
)
def test_worlds_equal_the_naive_reference(seed, response):
    rng = np.random.default_rng(seed)
    items = scatter((2, 6, 9), int(rng.integers(0, 40)), 3, rng)
    items.flags.writeable = False
    colony = SortingColony(items, 4, np.random.default_rng(seed), response)
    colony.run(20)
    colony.run(15)
    expected = naive.sort_items(items, 4, 35, np.random.default_rng(seed), response)
    np.testing.assert_array_equal(colony.items, expected[0])
    np.testing.assert_array_equal(colony.loads, expected[1])


def interval(values):
    return 2.13 * values.std(ddof=1) / math.sqrt(len(values))


@pytest.mark.row("S13")
def test_ants_that_heed_the_ground_beat_a_random_walk():
    rng = np.random.default_rng(4)
    items = scatter((16, 48, 48), 460, 2, rng)
    start = spatial_entropy(items)
    ends, largest = {}, {}
    for heed in (1.0, 0.0):
        colony = SortingColony(items, 50, np.random.default_rng(5), Response(heed=heed))
        entropies = [start]
        for _ in range(3):
            colony.run(5000)
            entropies.append(spatial_entropy(colony.items))
        ends[heed] = np.array(entropies)
        largest[heed] = np.array([heap_sizes(world)[:10].mean() for world in colony.items])
    # Entropy falls from reading to reading, and stays where it was for the walk that heeds nothing.
    falls = -np.diff(ends[1.0], axis=0)
    assert (falls.mean(axis=1) - [interval(fall) for fall in falls] > 0.0).all()
    assert abs((ends[0.0][-1] - start).mean()) < 0.05
    gain = ends[0.0][-1] - ends[1.0][-1]
    assert gain.mean() - interval(gain) > 0.4
    growth = largest[1.0] / largest[0.0]
    assert growth.mean() - interval(growth) > 3.0


def test_items_are_moved_but_never_made_or_lost():
    rng = np.random.default_rng(6)
    items = scatter((3, 16, 16), 100, 3, rng)
    colony = SortingColony(items, 20, rng, Response(heed=0.3))
    colony.run(500)
    assert (colony.items != items).any()
    for kind in (1, 2, 3):
        lying = (colony.items == kind).sum(axis=(1, 2))
        carried = (colony.loads == kind).sum(axis=1)
        np.testing.assert_array_equal(lying + carried, (items == kind).sum(axis=(1, 2)))


def test_threads_and_pauses_change_nothing():
    items = scatter((4, 24, 24), 150, 2, np.random.default_rng(7))
    results = []
    for threads, parts in ((1, [3000]), (3, [3000]), (1, [1000, 0, 2000])):
        colony = SortingColony(items, 30, np.random.default_rng(8))
        with use_threads(threads):
            for steps in parts:
                colony.run(steps)
        results.append(colony.items)
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_entropy_of_known_arrangements():
    even = np.ones((1, 16, 16), int)
    heap = np.zeros((1, 16, 16), int)
    heap[0, :8, :8] = 3
    halves = np.zeros((1, 16, 16), int)
    halves[0, :8] = 1
    halves[0, 8:, :8] = 2
    worlds = np.concatenate([even, heap, halves, 0 * even])
    np.testing.assert_allclose(
        spatial_entropy(worlds), [math.log(4), 0.0, math.log(2) / 2, 0.0], atol=1e-12
    )


def test_heaps_of_a_known_arrangement():
    rows = ["110002", "100022", "001000", "000111"]
    items = np.array([[int(kind) for kind in row] for row in rows])
    # The single 1 touches the row below it at a corner.
    assert heap_sizes(items).tolist() == [4, 3, 3]
    assert heap_sizes(np.zeros((3, 3), int)).tolist() == []


def test_scattered_items_are_as_many_as_asked_for():
    items = scatter((5, 6, 7), 41, 2, np.random.default_rng(9))
    assert ((items > 0).sum(axis=(1, 2)) == 41).all()
    assert ((items == 1).sum(axis=(1, 2)) == 21).all()
    assert (items[0] != items[1]).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pick": 0.0}, "pick"),
        ({"drop": -1.0}, "drop"),
        ({"drop": np.nan}, "drop"),
        ({"radius": 0}, "radius"),
        ({"radius": 17}, "radius"),
        ({"radius": 1.5}, "radius is 1.5; allowed: whole numbers from 1 to 16"),
        ({"heed": 1.5}, "heed"),
    ],
)
def test_wrong_responses_are_named(change, message):
    with pytest.raises(InputError, match=message):
        Response(**change)


def test_wrong_arguments_are_named():
    rng = np.random.default_rng(0)
    ground = np.zeros((1, 4, 4), int)
    for items in (ground[0], ground + 0.5, ground - 1, ground[:0], ground + 2**40):
        with pytest.raises(InputError, match=r"items"):
            SortingColony(items, 1, rng)
    with pytest.raises(InputError, match=r"ants"):
        SortingColony(ground, 0, rng)
    with pytest.raises(InputError, match=r"ants is 1.5"):
        SortingColony(ground, 1.5, rng)
    with pytest.raises(InputError, match=r"rng is 0"):
        SortingColony(ground, 1, 0)
    with pytest.raises(InputError, match=r"response: 1.0; allowed: a Response"):
        SortingColony(ground, 1, rng, 1.0)
    for steps in (-1, 2.5):
        with pytest.raises(InputError, match=r"steps is"):
            SortingColony(ground, 1, rng).run(steps)
    with pytest.raises(InputError, match=r"kinds is 1.5"):
        scatter((1, 4, 4), 3, 1.5, rng)
    with pytest.raises(InputError, match=r"shape is 4.5"):
        scatter((1, 4, 4.5), 3, 1, rng)
    with pytest.raises(InputError, match=r"patch is 2.0"):
        spatial_entropy(ground, 2.0)
    with pytest.raises(InputError, match=r"items is 17; allowed: whole numbers from 0 to 16"):
        scatter((1, 4, 4), 17, 1, rng)
    with pytest.raises(InputError, match=r"patch is 3"):
        spatial_entropy(ground, 3)
