"""Every detector: planted patterns stand out from its null, whose p-values are uniform."""

from functools import cache

import numpy as np
import pytest
from scipy import stats

from swarmloom_protocols.stigmergy.patterns import spiral_dynamics as spiral_module
from swarmloom_protocols.stigmergy.patterns.branching_exploration import branching_exploration
from swarmloom_protocols.stigmergy.patterns.circular_reinforcement import circular_reinforcement
from swarmloom_protocols.stigmergy.patterns.cluster_formation import (
    clustered_field,
    clustered_walkers,
)
from swarmloom_protocols.stigmergy.patterns.convergent_trails import convergent_trails
from swarmloom_protocols.stigmergy.patterns.gradient_chains import gradient_chains
from swarmloom_protocols.stigmergy.patterns.spiral_dynamics import spiral_dynamics
from swarmloom_protocols.stigmergy.patterns.wave_propagation import wave_propagation
from tests.protocols.stigmergy.patterns import scenes
from tests.protocols.stigmergy.patterns.known_fields import frame
from tests.protocols.stigmergy.patterns.scenes import SIDE, rng_of

FORKED = ("Y", "X", "star", "binary tree", "lattice")
DRAWS = 39
PLANTED, NULL = 15, 60
# The p-values of 19 draws cost least and have a level of exactly 0.05.
FEWEST_DRAWS, CALIBRATED = 19, 200


def convergence(tracks, rng):
    return convergent_trails(tracks, rng=rng, draws=DRAWS)


def circulation(tracks, rng):
    return circular_reinforcement(tracks, rng=rng, draws=DRAWS)


def chains(scene, rng):
    return gradient_chains(*scene, rng=rng, draws=DRAWS)


def gathering(points, rng):
    return clustered_walkers(points, (SIDE, SIDE), rng=rng, draws=DRAWS)


def branching(field, rng):
    return branching_exploration(field, rng=rng, draws=DRAWS)


def waves(history, rng):
    return wave_propagation(history, rng=rng, draws=DRAWS)


def spirals(history, rng):
    return spiral_dynamics(history, rng=rng, draws=DRAWS)


# Detector, scene with the pattern, scene of the null; both made from a seed.
CASES = {
    "ConvergentTrails": (convergence, scenes.convergent, lambda s: scenes.wander(rng_of(s, 11))),
    "BranchingExploration": (
        branching,
        lambda s: frame(FORKED[s % 5], s, 0.1),
        lambda s: scenes.smooth_noise(rng_of(s, 12), (48, 48), 2.0),
    ),
    "CircularReinforcement": (
        circulation,
        scenes.circulating,
        lambda s: scenes.wander(rng_of(s, 13)),
    ),
    "GradientChains": (
        chains,
        scenes.climbing,
        lambda s: (scenes.wander(rng_of(s, 14), steps=20), scenes.smooth_noise(rng_of(s, 15))),
    ),
    "ClusterFormation of walkers": (
        gathering,
        scenes.blobs,
        lambda s: rng_of(s, 16).uniform(-0.5, SIDE - 0.5, (80, 2)),
    ),
    "ClusterFormation of amounts": (
        lambda field, rng: clustered_field(field),
        scenes.deposits,
        lambda s: rng_of(s, 17).exponential(size=(SIDE, SIDE)),
    ),
    "WavePropagation": (
        waves,
        lambda s: scenes.wave(s, frames=16, side=32)[0],
        lambda s: scenes.coloured_history(rng_of(s, 18)),
    ),
    "SpiralDynamics": (
        spirals,
        lambda s: scenes.spiral(s, frames=24, side=48)[0],
        lambda s: scenes.coloured_history(rng_of(s, 19)),
    ),
}

# Their p-values may be larger than uniform ones, but not smaller.
CONSERVATIVE = {"SpiralDynamics"}


@cache
def findings(name, planted, count):
    detector, with_pattern, without = CASES[name]
    scene = with_pattern if planted else without
    return [detector(scene(seed), rng_of(seed, 9)) for seed in range(count)]


def p_values(patterns):
    return np.array([pattern.p_value for pattern in patterns])


def area_under_curve(high, low):
    more = np.subtract.outer(high, low)
    return np.mean(more > 0) + 0.5 * np.mean(more == 0)


@pytest.mark.row("S11")
@pytest.mark.parametrize("name", CASES)
def test_planted_patterns_stand_out_from_the_null(name):
    planted, null = findings(name, True, PLANTED), findings(name, False, NULL)
    assert area_under_curve(-p_values(planted), -p_values(null)) >= 0.95
    strengths = [[pattern.strength for pattern in group] for group in (planted, null)]
    assert area_under_curve(*strengths) >= 0.95
    assert np.mean(p_values(planted) <= 0.05) >= 0.6
    assert all(0.0 <= strength <= 1.0 for group in strengths for strength in group)


@pytest.mark.row("S11")
@pytest.mark.row("E17")
@pytest.mark.parametrize("name", CASES)
def test_p_values_are_uniform_under_the_null(name):
    p = p_values(findings(name, False, NULL))
    too_small = "greater" if name in CONSERVATIVE else "two-sided"
    assert stats.kstest(p, "uniform", alternative=too_small).pvalue > 0.01
    # A true rate of 0.05 gives more in one of a hundred tests.
    assert np.sum(p <= 0.05) <= stats.binom.ppf(0.99, NULL, 0.05)
    assert p.min() > 0.0


CALIBRATIONS = {
    "ConvergentTrails": (convergent_trails, lambda s: scenes.wander(rng_of(s, 11), steps=30)),
    "WavePropagation": (wave_propagation, lambda s: scenes.coloured_history(rng_of(s, 18))),
    "SpiralDynamics in windows": (
        spiral_dynamics,
        lambda s: scenes.coloured_history(rng_of(s, 19)),
    ),
    # Random phases over space and time fail here: they end in p <= 0.05 twice as often.
    "SpiralDynamics among crossing waves": (
        spiral_dynamics,
        lambda s: scenes.crossing_waves(rng_of(s, 20)),
    ),
}


@pytest.mark.row("S11")
@pytest.mark.parametrize("name", CALIBRATIONS)
def test_the_level_is_kept_in_many_scenes(name):
    detector, scene = CALIBRATIONS[name]
    seeds = range(100, 100 + CALIBRATED)
    p = p_values([detector(scene(s), rng=rng_of(s, 9), draws=FEWEST_DRAWS) for s in seeds])
    assert stats.kstest(p, "uniform", alternative="greater").pvalue > 0.01
    assert np.sum(p <= 0.05) <= stats.binom.ppf(0.99, CALIBRATED, 0.05)


def test_spirals_are_tested_exactly_between_reflecting_boundaries(monkeypatch):
    """Draws that turn on all rings are as good as the frames: p-values are uniform."""
    monkeypatch.setattr(spiral_module, "DRAWN_RINGS", spiral_module.RINGS)
    histories = [scenes.closed_history(rng_of(s, 21)) for s in range(CALIBRATED)]
    p = p_values([spiral_dynamics(h, rng=rng_of(0), draws=FEWEST_DRAWS) for h in histories])
    # Spread over the steps between the nineteen draws.
    p -= rng_of(1).uniform(0.0, 1.0 / (FEWEST_DRAWS + 1), p.size)
    assert stats.kstest(p, "uniform").pvalue > 0.01


def two_spirals(apart):
    """A spiral and its mirror image; without a distance the mirror cuts the core in two."""
    t, y, x = np.indices((16, 64, 96))
    y, x = y - 31.5, apart / 2 - np.abs(x - 47.5)
    phase = np.arctan2(y, x) + 2 * np.pi * (np.hypot(y, x) / 16 - t / 6)
    return np.cos(phase) + 0.1 * rng_of(2).standard_normal(t.shape)


def test_spirals_of_opposite_charge_are_found_where_they_are_apart():
    found = spiral_dynamics(two_spirals(36), rng=rng_of(0), draws=FEWEST_DRAWS)
    assert found.p_value <= 0.05
    assert found.strength > 0.8
    assert found.location[0] == pytest.approx(31.5, abs=2.0)
    assert abs(found.location[1] - 47.5) == pytest.approx(18.0, abs=2.0)
    halves = spiral_dynamics(two_spirals(0), rng=rng_of(0), draws=FEWEST_DRAWS)
    assert halves.strength == 0.0


def test_convergence_is_located_and_has_a_direction():
    tracks = scenes.convergent(5)
    hub = rng_of(5, 1).uniform(16, 48, 2)
    found = convergence(tracks, rng_of(0))
    assert np.hypot(*(np.array(found.location) - hub)) < 6.0
    away = convergence(tracks[:, ::-1], rng_of(0))
    assert away.p_value > 0.9
    assert away.strength == 0.0
    assert away.location == found.location
    assert away.parameters["alignment"] == pytest.approx(-found.parameters["alignment"])


def test_circulation_is_located_and_changes_its_sign_with_time():
    tracks, centre = scenes.circulating(3), rng_of(3, 2).uniform(24, 40, 2)
    found, back = (circulation(paths, rng_of(0)) for paths in (tracks, tracks[:, ::-1]))
    assert np.hypot(*(np.array(found.location) - centre)) < 6.0
    assert found.parameters["mean_turns"] == pytest.approx(-back.parameters["mean_turns"])
    assert found.p_value == back.p_value
    assert found.strength > 0.3


def test_walkers_going_round_either_way_do_not_circulate():
    tracks = scenes.circulating(3)
    tracks[::2] = tracks[::2, ::-1]
    assert circulation(tracks, rng_of(0)).p_value > 0.05


def test_fewer_than_six_walkers_cannot_prove_circulation():
    angles = np.linspace(0, 12 * np.pi, 300) + np.arange(5)[:, None]
    tracks = 30 + 12 * np.stack((np.sin(angles), np.cos(angles)), axis=-1)
    assert circulation(tracks, rng_of(0)).p_value > 0.025


def test_a_chain_has_the_walkers_that_were_put_into_it():
    field = np.add.outer(np.zeros(40), np.arange(40.0))
    starts = [(20.0, 5.0 + 4.0 * k) for k in range(6)] + [(4.0, 30.0), (35.0, 3.0)]
    tracks = np.array(starts)[:, None] + np.arange(4)[:, None] * np.array([0.0, 1.0])
    found = gradient_chains(tracks, field, rng=rng_of(0), reach=6.0)
    assert found.parameters["chain"] == 6.0
    assert found.location == pytest.approx((20.0, 18.0))
    assert found.extent == pytest.approx(10.0)
    assert found.strength == pytest.approx(1.0)
    alone = gradient_chains(tracks, field, rng=rng_of(0), reach=3.0)
    assert (alone.parameters["chain"], alone.strength) == (1.0, 0.0)
    assert alone.p_value == pytest.approx(found.p_value)


def test_five_blobs_are_five_clusters():
    counts = [gathering(scenes.blobs(seed), rng_of(0)).parameters["clusters"] for seed in range(10)]
    assert counts.count(5.0) >= 9


def test_four_walkers_are_too_few_for_a_cluster():
    assert gathering(np.full((4, 2), 9.0), rng_of(0)).p_value == 1.0
    assert gathering(np.empty((0, 2)), rng_of(0)).strength == 0.0


@pytest.mark.parametrize("seed", range(6))
def test_a_waves_direction_speed_and_period(seed):
    history, angle, length, period = scenes.wave(seed)
    found = waves(history, rng_of(0)).parameters
    turned = np.angle(np.exp(1j * (found["direction"] - angle)))
    assert abs(turned) < 0.15
    assert found["speed"] == pytest.approx(length / period, rel=0.15)
    assert found["wavelength"] == pytest.approx(length, rel=0.25)
    assert found["period"] == pytest.approx(period, rel=0.25)


@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize("sign", [-1, 1])
def test_waves_along_the_axes(axis, sign):
    t, *space = np.indices((24, 32, 32))
    history = np.cos(2 * np.pi * (sign * space[axis - 1] / 8 - t / 6))
    found = waves(history, rng_of(0))
    expected = np.arctan2(sign * (axis == 1), sign * (axis == 2))
    assert np.cos(found.parameters["direction"] - expected) > 0.99
    assert found.parameters["speed"] == pytest.approx(8 / 6, rel=0.05)
    assert found.strength > 0.9


def test_a_standing_wave_does_not_travel():
    t, _, x = np.indices((24, 32, 32))
    history = np.cos(2 * np.pi * x / 8) * np.cos(2 * np.pi * t / 6)
    found = waves(history, rng_of(0))
    assert found.p_value > 0.9
    assert found.strength < 0.01


def test_spirals_have_a_core_a_sense_and_a_period():
    for seed in range(3):
        history, core = scenes.spiral(seed, side=48)
        found, mirrored = (
            spiral_dynamics(frames, rng=rng_of(0), draws=19)
            for frames in (history, history[:, :, ::-1])
        )
        assert np.hypot(*(np.array(found.location) - core)) < 4.0
        assert found.parameters["charge"] == -mirrored.parameters["charge"]
        assert 4.0 < found.parameters["period"] < 9.0
        assert found.parameters["isolation"] > 8.0


def test_a_second_channel_gives_the_phase_of_a_spiral():
    t, y, x = np.indices((8, 32, 32)) - np.array([0, 15.5, 15.5])[:, None, None, None]
    phase = np.arctan2(y, x) - 2 * np.pi * t / 8
    found = spiral_dynamics(np.cos(phase), second=np.sin(phase), rng=rng_of(0), draws=19)
    assert found.parameters["charge"] == 1.0
    assert found.location == pytest.approx((15.5, 15.5), abs=1.5)
    assert found.strength > 0.9


def test_rings_are_no_spiral():
    t, y, x = np.indices((16, 32, 32))
    history = np.cos(2 * np.pi * (np.hypot(y - 15.5, x - 15.5) / 10 - t / 6))
    history += 0.1 * rng_of(1).standard_normal(history.shape)
    assert spiral_dynamics(history, rng=rng_of(0), draws=19).strength == 0.0


def test_a_straight_trail_does_not_branch():
    found = branching_exploration(frame("line", 0, 0.1), rng=rng_of(0), draws=19)
    assert found.strength == 0.0
    assert found.parameters["endpoints"] == 2.0


def test_the_same_generator_gives_the_same_finding():
    tracks = scenes.wander(rng_of(1))
    assert convergence(tracks, rng_of(7)) == convergence(tracks, rng_of(7))
