"""Foraging: against plain loops, conservation of items, what the trail is worth and where not."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom.device import use_threads
from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.colonies.foraging import Foragers, forage_worlds, patches
from tests.naive import foraging as naive


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["correlated", "levy", "trail"]))
def test_worlds_equal_the_naive_reference(seed, strategy):
    rng = np.random.default_rng(seed)
    food = rng.integers(0, 3, (2, 9, 12)).astype(np.int32)
    food.flags.writeable = False
    foragers = Foragers(
        strategy=strategy,
        ants=int(rng.integers(1, 9)),
        nest_radius=2.0,
        faintest=0.01,
        evaporation=rng.uniform(0.0, 0.5),
    )
    steps = int(rng.integers(0, 30))
    found = forage_worlds(food, foragers, steps, np.random.default_rng(seed))
    expected = naive.forage_worlds(food, foragers, steps, np.random.default_rng(seed))
    np.testing.assert_array_equal(found.delivered, expected[0])
    np.testing.assert_array_equal(found.food, expected[1])
    np.testing.assert_allclose(found.trail, expected[2], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(found.places, expected[3], rtol=1e-5)


@pytest.mark.parametrize("strategy", ["correlated", "levy", "trail"])
def test_items_are_on_the_ground_on_their_way_or_delivered(strategy):
    rng = np.random.default_rng(5)
    food = np.array([patches((64, 64), 3, 40, rng, distance=(8.0, 25.0)) for _ in range(2)])
    foragers = Foragers(strategy=strategy, ants=30)
    harvest = forage_worlds(food, foragers, 600, np.random.default_rng(6))
    carried = 120 - harvest.food.sum(axis=(1, 2)) - harvest.totals
    assert ((carried >= 0) & (carried <= 30)).all()
    assert (harvest.totals > 20).all()
    assert (harvest.trail.max() > 0.0) == (strategy == "trail")


def mean_and_interval(values):
    return values.mean(), 2.13 * values.std(ddof=1) / np.sqrt(len(values))


@pytest.mark.row("S13")
def test_with_clustered_food_the_trail_beats_every_walk_and_needs_its_evaporation():
    rng = np.random.default_rng(20)
    food = np.array([patches((128, 128), 3, 200, rng) for _ in range(16)])

    def totals(**changes):
        return forage_worlds(food, Foragers(**changes), 3000, np.random.default_rng(21)).totals

    trail = totals()
    for rival, factor in (
        (totals(strategy="levy", flight_exponent=1.5), 1.4),
        (totals(strategy="levy", flight_exponent=1.2), 1.25),
        (totals(strategy="correlated", wiggle=10.0), 1.25),
        (totals(evaporation=0.0), 2.0),
    ):
        mean, interval = mean_and_interval(trail - factor * rival)
        assert mean - interval > 0.0


@pytest.mark.row("S13")
def test_scattered_food_gains_nothing_from_a_trail():
    rng = np.random.default_rng(22)
    food = np.zeros((16, 128, 128), np.int32)
    for ground in food:
        np.add.at(ground.reshape(-1), rng.integers(0, ground.size, 600), 1)
    trail, walk = (
        forage_worlds(food, Foragers(strategy=name), 2000, np.random.default_rng(23)).totals
        for name in ("trail", "correlated")
    )
    mean, interval = mean_and_interval(trail / walk)
    assert mean - interval < 1.0


def test_the_number_of_threads_and_of_other_worlds_changes_nothing():
    rng = np.random.default_rng(30)
    food = np.array([patches((48, 48), 2, 30, rng, distance=(5.0, 20.0)) for _ in range(5)])
    results = []
    for threads, part in ((1, food), (3, food), (1, food[:2])):
        with use_threads(threads):
            results.append(forage_worlds(part, Foragers(), 3000, np.random.default_rng(1)))
    for field in dataclasses.fields(results[0]):
        one, three, fewer = (getattr(result, field.name) for result in results)
        np.testing.assert_array_equal(one, three)
        np.testing.assert_array_equal(one[:2], fewer)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"strategy": "smell"}, "strategy"),
        ({"ants": 0}, "ants"),
        ({"ants": 2.5}, "ants is 2.5; allowed: whole numbers from 1"),
        ({"ants": True}, "ants is True"),
        ({"wiggle": 181.0}, "wiggle"),
        ({"flight_exponent": 1.0}, "exponent"),
        ({"mark": -1.0}, "mark"),
        ({"mark": np.inf}, "mark"),
        ({"evaporation": 1.0}, "evaporation"),
        ({"evaporation": np.nan}, "evaporation"),
        ({"diffusion": 0.3}, "diffusion"),
        ({"faintest": -0.1}, "faintest"),
        ({"reach": 0.0}, "reach"),
        ({"nest_radius": 0.0}, "nest_radius"),
    ],
)
def test_wrong_colonies_are_named(change, message):
    with pytest.raises(InputError, match=message):
        Foragers(**change)


@pytest.mark.parametrize(
    ("food", "steps", "message"),
    [
        (np.zeros((4, 4), int), 1, "food: shape"),
        (np.zeros((1, 4, 4)), 1, "of float64"),
        (np.zeros((1, 2, 4), int), 1, "at least 3"),
        (np.full((1, 4, 4), -1), 1, "food: allowed"),
        (np.full((1, 4, 4), 2**40), 1, "food: allowed"),
        (np.zeros((1, 4, 4), int), -1, "steps"),
        (np.zeros((1, 4, 4), int), 2.5, "steps is 2.5; allowed: whole numbers from 0"),
    ],
)
def test_wrong_worlds_are_named(food, steps, message):
    with pytest.raises(InputError, match=message):
        forage_worlds(food, Foragers(), steps, np.random.default_rng(0))


def test_what_gives_no_random_numbers_is_refused():
    with pytest.raises(InputError, match=r"rng is 0; allowed: a numpy.random.Generator"):
        forage_worlds(np.zeros((1, 4, 4), int), Foragers(), 1, 0)
    with pytest.raises(InputError, match=r"foragers: 'trail'; allowed: Foragers"):
        forage_worlds(np.zeros((1, 4, 4), int), "trail", 1, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": (20.5, 20)}, "shape is 20.5"),
        ({"count": -2}, "count is -2"),
        ({"count": 1.5}, "count is 1.5"),
        ({"items": -1}, "items is -1"),
        ({"items": 2**31}, "items is 2147483648"),
        ({"count": 2, "items": 2**30}, "items is 1073741824; .* 0 to 1073741823"),
        ({"radius": 0.0}, "radius is 0.0"),
        ({"distance": (5.0, 4.0)}, "distance is 4.0"),
        ({"rng": 0}, "rng is 0"),
    ],
)
def test_wrong_patches_are_named(change, message):
    arguments = {"shape": (20, 20), "count": 1, "items": 5, "rng": np.random.default_rng(0)}
    with pytest.raises(InputError, match=message):
        patches(**(arguments | change))


def test_patches_hold_their_items_and_keep_their_distance():
    ground = patches((128, 128), 3, 200, np.random.default_rng(0))
    assert ground.sum() == 600
    away = np.hypot(*(np.argwhere(ground) - 63.5).T)
    assert away.min() > 24.0
    assert away.max() < 61.0
    with pytest.raises(InputError, match="distance"):
        patches((10, 10), 1, 5, np.random.default_rng(0), distance=(50.0, 60.0))
