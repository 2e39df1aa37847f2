"""Runs, records, momentum and the checks of a landscape."""

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.opinions.landscape import OpinionLandscape
from swarmloom_protocols.consensus.opinions.models import (
    Deffuant,
    DeGroot,
    FriedkinJohnsen,
    HegselmannKrause,
)

pytestmark = pytest.mark.row("C1")


def test_what_is_given_is_kept_and_what_is_returned_is_a_copy():
    given = np.array([0.0, 0.5, 1.0])
    crew = OpinionLandscape(given, confidence=[0.2, 0.3, 1.0], influence_radius=[0.1, 0.2, np.inf])
    given[:] = 9.0
    crew.values[:] = 9.0
    crew.confidence[:] = 9.0
    assert crew.values[:, 0].tolist() == [0.0, 0.5, 1.0]
    assert crew.confidence.tolist() == [0.2, 0.3, 1.0]
    assert crew.influence_radius.tolist() == [0.1, 0.2, np.inf]
    assert (len(crew), crew.dimensions, crew.steps_taken) == (3, 1, 0)


def test_momentum_is_the_heavy_ball():
    values, share = np.array([0.0, 1.0, 3.0]), 0.6
    crew = OpinionLandscape(values, inertia=0.5)
    model = FriedkinJohnsen(share)
    x, v = values.copy(), np.zeros(3)
    for _ in range(8):
        v = 0.5 * v + (share * x.mean() + (1.0 - share) * values - x)
        x = x + v
        assert crew.step(model) == pytest.approx(np.abs(v).max())
    np.testing.assert_allclose(crew.values[:, 0], x, atol=1e-14)
    np.testing.assert_allclose(crew.momentum[:, 0], v, atol=1e-14)
    crew.run(model, 500, tolerance=1e-14)
    calm = OpinionLandscape(values)
    calm.run(model, 500, tolerance=1e-14)
    np.testing.assert_allclose(crew.values, calm.values, atol=1e-12)


def test_momentum_carries_opinions_over_what_they_would_stop_at():
    still = OpinionLandscape([0.0, 1.0], influence_radius=0.5)
    assert still.run(HegselmannKrause()).frozen
    moving = OpinionLandscape(
        [0.0, 1.0], influence_radius=0.5, inertia=0.8, momentum=[0.1, -0.1]
    )  # fmt: skip
    moving.run(HegselmannKrause(), 1000)
    assert np.ptp(still.values) == 1.0
    assert np.ptp(moving.values) < 1e-6


def test_the_last_movement_is_what_a_step_made():
    crew = OpinionLandscape([0.0, 1.0, 5.0])
    assert crew.step(DeGroot()) == 3.0
    assert crew.momentum[:, 0].tolist() == [2.0, 1.0, -3.0]
    run = crew.run(DeGroot())
    assert (run.steps, run.frozen, run.moved) == (1, True, 0.0)


def test_a_run_without_a_tolerance_makes_all_its_steps():
    crew = OpinionLandscape([0.0, 1.0, 5.0])
    run = crew.run(DeGroot(), 7, tolerance=None)
    assert (run.steps, run.frozen) == (7, False)
    assert np.isnan(run.moved)
    assert crew.run(DeGroot(), 0).steps == 0


@pytest.mark.parametrize("tolerance", [None, 0.0])
def test_records_are_those_of_single_steps(tolerance):
    values = np.random.default_rng(0).random(40)
    crew, by_hand = OpinionLandscape(values), OpinionLandscape(values)
    run = crew.run(HegselmannKrause(), 7, tolerance=tolerance, record_every=2)
    frames = [by_hand.values]
    for _ in range(run.steps):
        by_hand.step(HegselmannKrause())
        frames.append(by_hand.values)
    assert run.trajectory.steps.tolist() == list(range(0, run.steps + 1, 2))
    np.testing.assert_array_equal(run.trajectory.values, frames[::2])


def test_records_are_bounded():
    crew = OpinionLandscape(np.linspace(0.0, 1.0, 5))
    model = FriedkinJohnsen(0.99)
    run = crew.run(model, 100, tolerance=None, record_every=1, most_records=8)
    assert run.trajectory.steps.tolist() == [0, 16, 32, 48, 64, 80, 96]
    assert run.trajectory.values.shape == (7, 5, 1)
    by_hand = OpinionLandscape(np.linspace(0.0, 1.0, 5))
    by_hand.run(model, 48, tolerance=None)
    np.testing.assert_array_equal(run.trajectory.values[3], by_hand.values)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"values": [0.0, np.inf]}, r"values\[1\] is \[inf\]"),
        ({"values": []}, "shape"),
        ({"confidence": 0.0}, r"confidence\[0\] is 0; allowed: above 0 to 1"),
        ({"confidence": [1.0, np.nan]}, r"confidence\[1\] is nan"),
        ({"influence_radius": -1.0}, "influence_radius"),
        ({"inertia": 1.0}, "inertia is 1"),
        ({"momentum": [1.0]}, r"momentum: shape \(1, 1\); allowed: \(2, 1\)"),
        ({"rng": 5}, "rng is 5; allowed: a numpy.random.Generator"),
    ],
)
def test_a_landscape_names_what_is_wrong(settings, message):
    with pytest.raises(InputError, match=message):
        OpinionLandscape(**{"values": [0.0, 1.0], **settings})


@pytest.mark.parametrize(
    ("settings", "arguments", "message"),
    [
        ({}, {"model": Deffuant()}, "rng: Deffuant draws at random"),
        (
            {"rng": np.random.default_rng(0), "inertia": 0.5},
            {"model": Deffuant()},
            "inertia is 0.5; allowed with Deffuant: 0",
        ),
        ({}, {"steps": -1}, "steps is -1"),
        ({}, {"tolerance": -1.0}, "tolerance is -1"),
        ({}, {"record_every": 0}, "record_every is 0"),
        ({}, {"record_every": 1, "most_records": 1}, "most_records is 1"),
        ({}, {"device": "gpu"}, "device"),
    ],
)
def test_a_run_names_what_is_wrong(settings, arguments, message):
    crew = OpinionLandscape(np.zeros((2, 2)), **settings)
    with pytest.raises(InputError, match=message):
        crew.run(**{"model": HegselmannKrause(), **arguments})
