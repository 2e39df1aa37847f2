"""What emerges: trails condense, and connect food, where agents sense; the null cannot sense."""

import math

import numpy as np
import pytest
from scipy import ndimage
from scipy.stats import mannwhitneyu

from swarmloom_protocols.stigmergy.physarum.swarm import PhysarumSwarm
from tests.benchmarks.stigmergy_emergence import (
    EIGHT_NEIGHBOURS,
    contrast,
    food_is_connected,
)

SEEDS = 24


def wilson(successes, trials, z=2.576):
    """The 99 % score interval of a share (Wilson 1927)."""
    share, spread = successes / trials, z * z / trials
    centre = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / trials + spread / (4 * trials)) / (1 + spread)
    return centre - half, centre + half


def test_the_interval_is_that_of_the_textbook():
    assert wilson(8, 10, z=1.96) == pytest.approx((0.4902, 0.9433), abs=1e-4)


@pytest.mark.row("S13")
def test_trails_condense_where_agents_sense_and_not_otherwise():
    sensing = [contrast(seed, 9.0) for seed in range(10)]
    blind = [contrast(seed, 0.0) for seed in range(10)]
    # All of one above all of the other: 1 of 184,756 orders.
    assert mannwhitneyu(sensing, blind, alternative="greater", method="exact").pvalue < 1e-5
    assert min(sensing) > 5.0 * max(blind)


def test_what_condenses_is_connected():
    swarm = PhysarumSwarm(6000, (128, 128), seed=0)
    swarm.step(200)
    pieces, count = ndimage.label(swarm.trail > 2.0 * swarm.trail.mean(), EIGHT_NEIGHBOURS)
    sizes = np.bincount(pieces.ravel())[1:]
    assert sizes.max() > 0.25 * sizes.sum()
    assert count < 20
    # The same values in any order lie in hundreds of pieces.
    shuffled = np.random.default_rng(0).permutation(swarm.trail.ravel()).reshape(128, 128)
    assert ndimage.label(shuffled > 2.0 * shuffled.mean(), EIGHT_NEIGHBOURS)[1] > 100


@pytest.mark.row("S13")
def test_trails_connect_two_sources_of_food_where_agents_sense():
    sensing = sum(food_is_connected(seed, 15.0) for seed in range(SEEDS))
    blind = sum(food_is_connected(seed, 0.0) for seed in range(SEEDS))
    assert wilson(sensing, SEEDS)[0] > wilson(blind, SEEDS)[1]
