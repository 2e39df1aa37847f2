"""The colony step by step: bounds of trails, smoothing at stagnation, a best tour that is kept."""

import numpy as np
import pytest

from swarmloom_protocols.bio_routing.search.candidates import nearest
from swarmloom_protocols.bio_routing.search.tours.colony import TourColony
from swarmloom_protocols.bio_routing.search.tours.distances import Cities
from swarmloom_protocols.bio_routing.search.tours.flips import new_notes, new_state
from swarmloom_protocols.bio_routing.search.tours.three_opt import roads


def colony(cities, **options):
    order = np.arange(len(cities), dtype=np.int32)
    ways, wide = (roads(cities, nearest(cities.points, k)) for k in (10, 20))
    room = new_state(order), new_notes()
    return TourColony(ways, wide, *room, order, cities.length(order), 7, **options)


@pytest.mark.row("B1")
def test_trails_stay_within_their_bounds_and_the_best_tour_is_kept():
    cities = Cities.of(np.random.default_rng(1).random((80, 2)))
    ants = colony(cities, ants=4)
    before = ants.length
    for _ in range(60):
        ants.step()
        assert ants.trail.min() >= 1 / 160
        assert ants.trail.max() <= 1.0
        assert ants.length <= before
        before = ants.length
    np.testing.assert_array_equal(np.sort(ants.order), np.arange(80))
    assert cities.length(ants.order) == pytest.approx(ants.length)
    assert ants.length < 0.3 * cities.length(np.arange(80, dtype=np.int32))


def test_stagnation_smooths_trails_and_only_it_does():
    cities = Cities.of(np.random.default_rng(2).random((30, 2)))
    ants = colony(cities, ants=4, smoothing=0.5)
    while ants.smoothings == 0:
        low = ants.trail.min()
        ants.step()
        assert ants.iterations < 200
    # Half of the way from the lower bound, which most trails are at by then, to 1.
    assert low == 1 / 60
    assert ants.trail.min() == pytest.approx(0.5 + 0.5 / 60, rel=0.02)
