"""The seven strategies: a known answer for each, and all of them against the naive reference."""

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.walkers.levy import fit_exponent
from swarmloom_protocols.stigmergy.walkers.sensors import Sensors
from swarmloom_protocols.stigmergy.walkers.strategies import (
    STRATEGIES,
    BiasedRandomWalk,
    BoundaryFollow,
    GradientAscent,
    GradientDescent,
    LevyFlight,
    SpiralSearch,
    SwarmCentering,
)
from swarmloom_protocols.stigmergy.walkers.walkers import Walkers
from tests.naive import walkers as naive

TOP = np.array([80.3, 40.7])
KEEN = Sensors(thresholds=0.0)


def hill(shape, top, width):
    squares = sum((axis - t) ** 2 for axis, t in zip(np.indices(shape), top, strict=True))
    return np.exp(-squares / (2.0 * width**2)).astype(np.float32)


def away(walkers, place):
    return np.linalg.norm(walkers.positions - place, axis=1)


@pytest.mark.row("S9a")
def test_ascent_reaches_a_planted_maximum_and_stays_there():
    walkers = Walkers(1_000, (128, 128), seed=1)
    walkers.move(hill((128, 128), TOP, 40.0), steps=200)
    assert np.mean(away(walkers, TOP) < 0.1) > 0.95


@pytest.mark.row("S9a")
def test_in_space_too():
    top = np.array([20.2, 30.1, 22.5])
    walkers = Walkers(200, (40, 48, 56), strategy=GradientAscent(sensors=KEEN), seed=3)
    walkers.move(hill((40, 48, 56), top, 20.0), steps=80)
    assert np.mean(away(walkers, top) < 0.1) > 0.95


@pytest.mark.row("S9a")
def test_descent_reaches_a_planted_minimum():
    walkers = Walkers(1_000, (128, 128), strategy=GradientDescent(sensors=KEEN), seed=1)
    walkers.move(1.0 - hill((128, 128), TOP, 40.0), steps=200)
    assert np.mean(away(walkers, TOP) < 0.1) > 0.95


def test_where_nothing_is_perceived_walkers_explore():
    walkers = Walkers(500, (200, 200), positions=np.full((500, 2), 100.0), seed=2)
    walkers.move(np.full((200, 200), 0.09, np.float32), steps=50)
    # A random walk of unit steps: variance of half a step squared an axis.
    assert walkers.positions.var(axis=0) == pytest.approx([25.0, 25.0], rel=0.2)


@pytest.mark.row("S9c")
def test_a_biased_walk_has_its_mean_and_variance():
    count, steps = 20_000, 100
    walkers = Walkers(
        count,
        (1_000, 1_000),
        strategy=BiasedRandomWalk(drift=0.7, noise=0.3),
        positions=np.full((count, 2), 500.0),
        headings=np.tile([0.0, 1.0], (count, 1)),
        seed=1,
    )
    walkers.move(steps=steps)
    error = 0.3 * np.sqrt(steps / count)
    assert walkers.positions.mean(axis=0) == pytest.approx([500.0, 570.0], abs=4.0 * error)
    # The variance's own standard error is √(2/n) of it.
    expected = steps * 0.3**2
    assert walkers.positions.var(axis=0) == pytest.approx([expected] * 2, rel=4.0 * 0.01)


@pytest.mark.row("S9c")
def test_a_biased_walk_goes_up_a_slope():
    count, steps = 4_000, 50
    strategy = BiasedRandomWalk(along="gradient")
    start = np.full((count, 2), 100.0)
    walkers = Walkers(count, (200, 200), strategy=strategy, positions=start, seed=1)
    walkers.move(np.add.outer(3.0 * np.arange(200.0), 4.0 * np.arange(200.0)), steps=steps)
    expected = 100.0 + steps * 0.7 * np.array([0.6, 0.8])
    error = 4.0 * 0.3 * np.sqrt(steps / count)
    assert walkers.positions.mean(axis=0) == pytest.approx(expected, abs=error)


@pytest.mark.row("S9b")
@pytest.mark.parametrize("shape", [(2_001, 2_001), (1_001, 1_001, 1_001)])
def test_flights_have_their_exponent_and_no_direction(shape):
    start = np.full((30_000, len(shape)), shape[0] // 2)
    strategy = LevyFlight(exponent=2.5, max_length=400.0)
    walkers = Walkers(len(start), shape, strategy=strategy, positions=start, seed=4)
    walkers.move()
    lengths = np.clip(away(walkers, start), 1.0, 400.0)
    fit = fit_exponent(lengths, 1.0, 400.0)
    assert abs(fit.exponent - 2.5) < 3.0 * fit.standard_error
    # Each component of a random unit vector has mean 0 and variance 1/d.
    ways = walkers.headings
    error = 4.0 / np.sqrt(len(shape) * len(ways))
    assert ways.mean(axis=0) == pytest.approx(np.zeros(len(shape)), abs=error)
    assert np.abs(ways.T @ ways / len(ways) - np.eye(len(shape)) / len(shape)).max() < error


@pytest.mark.row("S9d")
def test_a_spiral_s_arms_are_as_far_apart_as_stated():
    strategy = SpiralSearch(step=0.5, arm_spacing=3.0)
    start = np.array([[100.0, 100.0]])
    walkers = Walkers(1, (201, 201), strategy=strategy, positions=start, headings=[[0.0, 1.0]])
    track = []
    for _ in range(4_000):
        walkers.move()
        track.append(walkers.positions[0] - 100.0)
    way = np.array(track)
    angle = np.unwrap(np.arctan2(way[:, 0], way[:, 1]))
    radius = np.hypot(*way.T)
    np.testing.assert_allclose(radius, 3.0 * angle / (2.0 * np.pi), atol=2e-3)
    lengths = np.linalg.norm(np.diff(way, axis=0), axis=1)
    assert lengths[20:] == pytest.approx(0.5, rel=0.01)


@pytest.mark.row("S9d")
def test_a_spiral_covers_a_disc_that_a_random_walk_does_not():
    def covered(strategy):
        walkers = Walkers(
            1,
            (101, 101),
            strategy=strategy,
            positions=[[50.0, 50.0]],
            headings=[[0.0, 1.0]],
            seed=5,
        )
        seen = np.zeros((101, 101), bool)
        y, x = np.indices(seen.shape)
        for _ in range(int(np.pi * 30.0**2 / 2.0)):
            walkers.move()
            place = walkers.positions[0]
            seen |= np.hypot(y - place[0], x - place[1]) <= 1.5
        disc = np.hypot(y - 50.0, x - 50.0) <= 28.0
        return seen[disc].mean()

    assert covered(SpiralSearch(step=1.0, arm_spacing=2.0)) == 1.0
    assert covered(BiasedRandomWalk(drift=0.0, noise=1.0 / np.sqrt(2.0))) < 0.6


@pytest.mark.row("S9e")
@pytest.mark.parametrize("clockwise", [False, True])
def test_a_circle_is_followed_within_a_cell(clockwise):
    y, x = np.indices((128, 128))
    field = (50.0 - np.hypot(y - 64.0, x - 64.0)).astype(np.float32)
    strategy = BoundaryFollow(level=30.0, clockwise=clockwise)
    walkers = Walkers(200, (128, 128), strategy=strategy, seed=3)
    walkers.move(field, steps=200)
    angles = []
    for _ in range(100):
        walkers.move(field)
        assert np.abs(away(walkers, [64.0, 64.0]) - 20.0).max() < 0.1
        angles.append(np.arctan2(*(walkers.positions - 64.0).T))
    turned = np.unwrap(angles, axis=0)[-1] - angles[0]
    sense = -1.0 if clockwise else 1.0
    assert turned * sense == pytest.approx(99 * 0.5 / 20.0, rel=0.02)


@pytest.mark.row("S9e")
def test_a_sphere_is_followed_too():
    offsets = np.indices((48, 48, 48)) - 24.0
    field = (20.0 - np.sqrt((offsets**2).sum(axis=0))).astype(np.float32)
    walkers = Walkers(100, (48, 48, 48), strategy=BoundaryFollow(level=8.0), seed=3)
    walkers.move(field, steps=150)
    before = walkers.positions
    walkers.move(field)
    assert np.abs(away(walkers, [24.0] * 3) - 12.0).max() < 0.1
    assert away(walkers, before) == pytest.approx(0.5, rel=0.01)


@pytest.mark.row("S9f")
def test_a_swarm_contracts_to_its_centre_at_the_stated_rate():
    walkers = Walkers(500, (128, 128), strategy=SwarmCentering(rate=0.1), seed=3)
    centre = walkers.positions.mean(axis=0)
    before = walkers.positions - centre
    walkers.move(steps=20)
    np.testing.assert_allclose(walkers.positions - centre, 0.9**20 * before, atol=2e-3)


@pytest.mark.row("S9f")
def test_swarms_out_of_each_other_s_sight_keep_apart():
    rng = np.random.default_rng(1)
    start = np.concatenate([rng.normal(30.0, 2.0, (60, 2)), rng.normal(90.0, 2.0, (40, 2))])
    strategy = SwarmCentering(rate=0.5, radius=25.0)
    walkers = Walkers(100, (128, 128), strategy=strategy, positions=start, seed=1)
    walkers.move(steps=40)
    np.testing.assert_allclose(
        walkers.positions[:60], np.tile(start[:60].mean(0), (60, 1)), atol=0.01
    )
    np.testing.assert_allclose(
        walkers.positions[60:], np.tile(start[60:].mean(0), (40, 1)), atol=0.01
    )


@pytest.mark.row("S9f")
def test_across_a_periodic_edge_the_shorter_way_is_taken():
    start = [[1.0, 50.0], [97.0, 50.0]]
    strategy = SwarmCentering(rate=0.5)
    walkers = Walkers(2, (100, 100), strategy=strategy, positions=start, boundaries="periodic")
    walkers.move()
    np.testing.assert_allclose(walkers.positions, [[0.0, 50.0], [98.0, 50.0]], atol=1e-3)


@pytest.mark.parametrize("sides", ["reflecting", "periodic"])
@pytest.mark.parametrize(("shape", "radius"), [((30, 40), 6.0), ((9, 9), 4.0), ((8, 9, 10), 3.5)])
def test_centres_of_neighbours_equal_the_naive_reference(shape, radius, sides):
    rng = np.random.default_rng(6)
    start = rng.uniform(-0.5, np.array(shape) - 0.5, (60, len(shape))).astype(np.float32)
    ways = rng.standard_normal(start.shape)
    strategy = SwarmCentering(rate=0.4, radius=radius)
    walkers = Walkers(
        60, shape, strategy=strategy, positions=start, headings=ways, boundaries=sides
    )
    walkers.move()
    field, pairs = np.zeros(shape, np.float32), ((sides, sides),) * len(shape)
    expected = naive.moved(strategy, start, ways, field, pairs, 0, 1)
    np.testing.assert_allclose(walkers.positions, expected, atol=2e-5)


def test_the_seven_strategies_have_the_names_of_their_source():
    assert set(STRATEGIES) == {
        "GradientAscent",
        "GradientDescent",
        "BiasedRandomWalk",
        "LevyFlight",
        "SpiralSearch",
        "BoundaryFollow",
        "SwarmCentering",
    }


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (GradientAscent, {"step": 0.0}, "step is 0.0"),
        (GradientDescent, {"step": np.nan}, "step is nan"),
        (BiasedRandomWalk, {"drift": -1.0}, "drift is -1.0"),
        (BiasedRandomWalk, {"noise": np.inf}, "noise is inf"),
        (BiasedRandomWalk, {"along": "wind"}, "along is 'wind'; allowed: 'heading', 'gradient'"),
        (LevyFlight, {"exponent": 1.0}, "exponent is 1.0"),
        (LevyFlight, {"max_length": 0.5}, "max_length is 0.5; allowed: above min_length"),
        (SpiralSearch, {"arm_spacing": 0.0}, "arm_spacing is 0.0"),
        (BoundaryFollow, {"level": np.nan}, "level is nan"),
        (SwarmCentering, {"rate": 1.5}, "rate is 1.5; allowed: finite, above 0, at most 1"),
        (SwarmCentering, {"radius": 0.0}, "radius is 0.0"),
    ],
)
def test_bad_parameters_are_refused(kind, arguments, message):
    with pytest.raises(InputError, match=message):
        kind(**arguments)
