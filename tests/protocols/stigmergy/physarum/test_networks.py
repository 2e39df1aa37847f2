"""What emerges: trails condense, and connect food, where agents sense; the null cannot sense."""

import math

import numpy as np
import pytest
from scipy import ndimage
from scipy.stats import mannwhitneyu

from swarmloom_protocols.stigmergy.physarum.swarm import PhysarumSwarm

EIGHT_NEIGHBOURS = np.ones((3, 3))
FOOD = (40, 20), (40, 60)
SEEDS = 24


def wilson(successes, trials, z=2.576):
    """The 99 % score interval of a share (Wilson 1927)."""
    share, spread = successes / trials, z * z / trials
    centre = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / trials + spread / (4 * trials)) / (1 + spread)
    return centre - half, centre + half


def test_the_interval_is_that_of_the_textbook():
    assert wilson(8, 10, z=1.96) == pytest.approx((0.4902, 0.9433), abs=1e-4)


def contrast(seed, sensor_distance):
    """Standard deviation of the trail over its mean, after 150 steps."""
    swarm = PhysarumSwarm(3000, (96, 96), sensor_distance=sensor_distance, seed=seed)
    swarm.step(150)
    return swarm.trail.std() / swarm.trail.mean()


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


def source(y, x, amount=15.0):
    cells = [(i, j) for i in range(-2, 3) for j in range(-2, 3) if i * i + j * j <= 4]
    return [(y + i, x + j, amount) for i, j in cells]


def food_is_connected(seed, sensor_distance):
    """Whether a piece of more than the mean trail touches both sources, 40 cells apart."""
    swarm = PhysarumSwarm(
        500,
        (80, 80),
        sensor_angle=math.radians(67.5),
        sensor_distance=sensor_distance,
        food=source(*FOOD[0]) + source(*FOOD[1]),
        boundaries="reflecting",
        seed=seed,
    )
    swarm.step(500)
    pieces, _ = ndimage.label(swarm.trail > swarm.trail.mean(), EIGHT_NEIGHBOURS)
    near = [set(pieces[y - 4 : y + 5, x - 4 : x + 5].flat) - {0} for y, x in FOOD]
    return bool(near[0] & near[1])


@pytest.mark.row("S13")
def test_trails_connect_two_sources_of_food_where_agents_sense():
    sensing = sum(food_is_connected(seed, 15.0) for seed in range(SEEDS))
    blind = sum(food_is_connected(seed, 0.0) for seed in range(SEEDS))
    assert wilson(sensing, SEEDS)[0] > wilson(blind, SEEDS)[1]
