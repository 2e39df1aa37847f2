"""`detect`: what is returned, where, corrected how, and what is refused."""

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.patterns.detection import detect
from swarmloom_protocols.stigmergy.patterns.pattern import PatternKind
from tests.protocols.stigmergy.patterns import scenes
from tests.protocols.stigmergy.patterns.known_fields import frame
from tests.protocols.stigmergy.patterns.scenes import SIDE, rng_of

QUIET = np.zeros((SIDE, SIDE))
TRACKS = ("ConvergentTrails", "CircularReinforcement", "GradientChains")


def kinds(patterns):
    return [str(pattern.kind) for pattern in patterns]


def still(walkers=10, moments=5):
    """Walkers that rest at places of their own."""
    return np.repeat(rng_of(1).uniform(1, SIDE - 2, (walkers, 1, 2)), moments, axis=1)


def test_the_seven_kinds_have_the_names_of_the_source():
    assert [str(kind) for kind in PatternKind] == [
        "ConvergentTrails",
        "BranchingExploration",
        "CircularReinforcement",
        "GradientChains",
        "ClusterFormation",
        "WavePropagation",
        "SpiralDynamics",
    ]


@pytest.mark.row("S11")
def test_planted_patterns_are_found_and_named():
    assert kinds(detect(frame("Y", 0, 0.1, side=128), rng=rng_of(0), draws=39)) == [
        "BranchingExploration",
        "ClusterFormation",
    ]
    walkers = detect(QUIET, tracks=scenes.convergent(1), rng=rng_of(0))
    assert "ConvergentTrails" in kinds(walkers)
    tracks, hill = scenes.climbing(1)
    assert "GradientChains" in kinds(detect(hill, tracks=tracks, rng=rng_of(0), draws=39))
    history = scenes.wave(1, frames=16, side=32)[0]
    found = detect(history[-1], history=history, rng=rng_of(0), draws=39, kinds=["WavePropagation"])
    assert kinds(found) == ["WavePropagation"]


def test_constant_frames_and_resting_walkers_show_nothing():
    history = np.full((9, SIDE, SIDE), 0.1)
    assert detect(history[0], history=history, tracks=still(), rng=rng_of(0), draws=19) == []


def test_with_holms_correction_quiet_scenes_stay_quiet():
    quiet = 0
    for seed in range(30):
        tracks = scenes.wander(rng_of(seed, 21), walkers=30, steps=30)
        field = rng_of(seed, 22).standard_normal((SIDE, SIDE))
        history = rng_of(seed, 23).standard_normal((8, 16, 16))
        found = detect(field, tracks=tracks, correct=True, rng=rng_of(seed), kinds=TRACKS)
        waves = detect(
            history[-1], history=history, rng=rng_of(seed), kinds=["WavePropagation"], draws=99
        )
        quiet += not found and not waves
    # At a rate of 0.1 in each scene, seven or more of thirty are seen in one of fifty tests.
    assert quiet >= 24


def test_correction_multiplies_by_the_number_of_kinds():
    scene = {"tracks": scenes.convergent(1), "rng": rng_of(0), "kinds": TRACKS}
    plain = detect(QUIET, **scene)
    corrected = detect(QUIET, **(scene | {"rng": rng_of(0), "correct": True}))
    assert kinds(plain)[0] == kinds(corrected)[0] == "ConvergentTrails"
    assert corrected[0].p_value == pytest.approx(3 * plain[0].p_value)


def test_a_kinds_p_value_does_not_depend_on_the_other_kinds():
    tracks = scenes.convergent(2)
    alone = detect(QUIET, tracks=tracks, rng=rng_of(3), kinds=["ConvergentTrails"], level=1.0)
    among = detect(QUIET, tracks=tracks, rng=rng_of(3), kinds=TRACKS, level=1.0)
    assert alone[0] in among


def test_a_region_is_looked_at_alone_and_positions_are_the_whole_frames():
    field = np.zeros((128, 192), np.float32)
    field[:128, 64:] = frame("X", 2, 0.05, side=128)
    whole, part, empty = (
        detect(field, rng=rng_of(0), region=region, kinds=["BranchingExploration"], draws=19)
        for region in (None, (0, 128, 64, 192), (0, 128, 0, 60))
    )
    assert empty == []
    assert part[0].location == pytest.approx(whole[0].location, abs=1.0)
    assert part[0].location[1] > 100


def test_walkers_that_leave_the_region_are_left_out():
    tracks = still(6) / 4
    tracks[1:, 2] = 40.0
    scene = {"tracks": tracks, "rng": rng_of(0), "region": (0, 20, 0, 20), "draws": 19}
    assert kinds(detect(QUIET, **scene)) == []
    with pytest.raises(InputError, match="ConvergentTrails needs tracks of two walkers within"):
        detect(QUIET, **scene, kinds=["ConvergentTrails"])


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"kinds": ["Swirl"]}, "kinds: 'Swirl' is not one of ConvergentTrails, Branching"),
        ({"kinds": ["WavePropagation"]}, "WavePropagation needs history"),
        ({"kinds": ["GradientChains"]}, "GradientChains needs tracks"),
        ({"level": 1.5}, "level is 1.5; allowed"),
        ({"draws": 5}, "draws: 5; at least 19"),
        ({"history": np.ones((9, 32, 32))}, r"history: frames of \(32, 32\) cells; field has"),
        ({"history": np.ones((7, SIDE, SIDE))}, "history: 7 frames; at least 8"),
        ({"history": np.full((9, SIDE, SIDE), np.nan)}, "values are NaN or infinite"),
        ({"tracks": np.full((3, 4, 2), 64.0)}, "tracks: positions outside the field"),
        ({"tracks": np.full((3, 4, 2), np.nan)}, "tracks: 24 values are NaN"),
        ({"tracks": np.ones((3, 4, 3))}, r"tracks: shape \(3, 4, 3\); allowed: \(N, T, 2\)"),
        ({"tracks": np.ones((1, 4, 2))}, "N and T at least 2"),
        ({"region": (0, 70, 0, 20)}, r"region: \(0, 70, 0, 20\); allowed"),
        ({"region": (10, 14, 0, 20)}, "each side at least 8"),
    ],
)
def test_what_is_refused(inputs, message):
    with pytest.raises(InputError, match=message):
        detect(QUIET, rng=rng_of(0), **inputs)


def test_inputs_may_be_read_only_and_stay_as_they_are():
    history, tracks = scenes.wave(0, frames=8, side=16)[0], still(4) / 8
    before = history.copy()
    for array in (history, tracks):
        array.flags.writeable = False
    detect(history[0], history=history, tracks=tracks, rng=rng_of(0), draws=19)
    np.testing.assert_array_equal(history, before)
