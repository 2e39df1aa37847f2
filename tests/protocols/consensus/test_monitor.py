"""Each planted cause is reported once, and nothing else of its kind."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom.events import EventKind
from swarmloom_protocols.consensus.landscape_events import (
    AttractorFormation,
    BifurcationDetected,
    ChaoticRegimeEntered,
    ConsensusReached,
    EmergentAllocation,
    OpinionConvergence,
)
from swarmloom_protocols.consensus.monitor import LandscapeMonitor

KINDS = (
    AttractorFormation, BifurcationDetected, ChaoticRegimeEntered, ConsensusReached,
    EmergentAllocation, OpinionConvergence,
)  # fmt: skip
EXPERTS = 16


def events_of(frames, monitor=None):
    monitor = monitor or LandscapeMonitor()
    return [event for frame in frames for event in monitor.watch(frame)]


def counts(events):
    return Counter(type(event) for event in events)


def start(seed, dimensions=1):
    return np.random.default_rng(seed).uniform(0, 1, (EXPERTS, dimensions))


def noisy(frames, size, seed=0):
    rng = np.random.default_rng(seed)
    return [frame + rng.normal(0, size, frame.shape) for frame in frames]


def converging(seed, rate=0.9, frames=100):
    first = start(seed, 2)
    mean = first.mean(axis=0)
    return [mean + (first - mean) * rate**t for t in range(frames)]


@pytest.mark.row("C18")
def test_convergence_and_consensus_are_reported_once_each():
    events = events_of(noisy(converging(1), 0.002))
    found = counts(events)
    assert found[OpinionConvergence] == found[ConsensusReached] == 1
    convergence = next(e for e in events if isinstance(e, OpinionConvergence))
    assert convergence.rate == pytest.approx(-np.log(0.9), rel=0.1)
    consensus = next(e for e in events if isinstance(e, ConsensusReached))
    assert consensus.participation == 1.0
    assert consensus.opinion == pytest.approx(converging(1)[0].mean(axis=0), abs=0.01)
    assert not found[ChaoticRegimeEntered]
    assert not found[BifurcationDetected]


@pytest.mark.row("C18")
def test_consensus_that_is_lost_and_found_again_is_reported_again():
    together = np.full((EXPERTS, 1), 0.5)
    apart = np.linspace(0, 1, EXPERTS)[:, None] * 3
    events = events_of([together] * 5 + [apart] * 5 + [together] * 5)
    assert counts(events)[ConsensusReached] == 2


@pytest.mark.row("C18")
def test_a_group_that_splits_is_a_bifurcation():
    def frame(gap):
        sides = np.repeat([-1.0, 1.0], EXPERTS // 2)
        return (0.5 + sides * gap + np.linspace(-0.02, 0.02, EXPERTS))[:, None]

    frames = [frame(max(0.0, 0.01 * (t - 20))) for t in range(80)]
    events = [e for e in events_of(noisy(frames, 0.001)) if isinstance(e, BifurcationDetected)]
    assert [(event.before, event.after) for event in events] == [(1, 2)]
    # The groups part by more than the radius from frame 25 on.
    assert 25 <= events[0].frame <= 36


@pytest.mark.row("C18")
@pytest.mark.parametrize(
    ("period", "kind"), [(1, "FixedPoint"), (2, "LimitCycle"), (5, "LimitCycle")]
)
def test_an_attractor_is_reported_when_the_opinions_repeat(period, kind):
    rng = np.random.default_rng(3)
    transient = [rng.uniform(0, 1, (EXPERTS, 2)) for _ in range(10)]
    cycle = [rng.uniform(0, 1, (EXPERTS, 2)) for _ in range(period)]
    frames = transient + [cycle[t % period] for t in range(150)]
    events = [e for e in events_of(noisy(frames, 1e-4)) if isinstance(e, AttractorFormation)]
    assert [(event.attractor, event.period) for event in events] == [(kind, period)]
    assert events[0].frame == 10 + 64 - 1


def logistic(parameter, frames, seed=0):
    state = np.random.default_rng(seed).uniform(0.2, 0.8, (EXPERTS, 1))
    for _ in range(200):
        state = parameter * state * (1 - state)
    for _ in range(frames):
        state = parameter * state * (1 - state)
        yield state


@pytest.mark.row("C18")
def test_chaos_is_reported_once_and_neither_cycles_nor_noise_are():
    regular = list(logistic(3.5, 300))
    assert not counts(events_of(regular))[ChaoticRegimeEntered]
    events = events_of([*regular, *logistic(3.9, 600)])
    chaotic = [e for e in events if isinstance(e, ChaoticRegimeEntered)]
    assert len(chaotic) == 1
    assert chaotic[0].frame > 300
    assert 0.2 < chaotic[0].exponent < 1.0
    assert chaotic[0].zero_one > 0.8
    rng = np.random.default_rng(5)
    noise = [rng.normal(0, 1, (EXPERTS, 1)) for _ in range(700)]
    assert not counts(events_of(noise))[ChaoticRegimeEntered]


@pytest.mark.row("C18")
def test_experts_that_come_to_stand_out_each_on_a_dimension_are_an_allocation():
    rng = np.random.default_rng(2)
    base = np.full((6, 3), 0.5)

    def frame(t):
        grown = base.copy()
        for expert in range(3):
            grown[expert, expert] += 0.4 * min(1.0, t / 40)
        return grown + rng.normal(0, 0.005, grown.shape)

    events = [e for e in events_of(map(frame, range(120))) if isinstance(e, EmergentAllocation)]
    assert len(events) == 1
    assert [set(experts) & {0, 1, 2} for experts in events[0].experts] == [{0}, {1}, {2}]


def test_nothing_happens_where_nothing_is_planted():
    rng = np.random.default_rng(8)
    still = rng.uniform(0, 1, (EXPERTS, 2))
    frames = [still + rng.normal(0, 0.02, still.shape) for _ in range(400)]
    assert events_of(frames) == []


def test_events_are_of_the_kernels_kinds_and_json():
    assert {kind.kind for kind in KINDS} <= set(EventKind)
    for event in events_of(converging(1)):
        assert json.loads(json.dumps(event.data)) == event.data


@pytest.mark.parametrize("cut", [3, 40, 300])
def test_a_restored_monitor_goes_on(cut):
    frames = list(logistic(3.9, 500))
    whole = events_of(frames)
    monitor = LandscapeMonitor()
    first = events_of(frames[:cut], monitor)
    state = json.loads(json.dumps(monitor.state()))
    assert first + events_of(frames[cut:], LandscapeMonitor.from_state(state)) == whole
    assert len(whole) > 0


@pytest.mark.parametrize(
    "opinions",
    [
        [1.0, 2.0],
        [[np.nan]],
        [[np.inf, 1.0]],
        np.empty((0, 2)),
        np.empty((2, 0)),
        [["a"]],
        [[1j]],
        [[1.0], [2.0, 3.0]],
    ],
)
def test_what_are_no_opinions_is_refused(opinions):
    with pytest.raises(InputError, match="opinions"):
        LandscapeMonitor().watch(opinions)


def test_opinions_of_others_are_refused_and_read_only_ones_are_fine():
    monitor = LandscapeMonitor()
    frame = start(0)
    frame.setflags(write=False)
    assert monitor.watch(frame) == ()
    with pytest.raises(InputError, match=r"allowed: as before, \(16, 1\)"):
        monitor.watch(start(0, 2))
    with pytest.raises(InputError, match="radius"):
        LandscapeMonitor(0.0)


def test_one_expert_is_no_trouble():
    assert all(
        isinstance(e, KINDS) for e in events_of([np.full((1, 1), 0.1 * t) for t in range(90)])
    )
