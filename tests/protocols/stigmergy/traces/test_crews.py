"""What the store is worth to simulated crews; bounds lie well below what is measured."""

from __future__ import annotations

from functools import cache

import numpy as np

from tests.protocols.stigmergy.traces.crews import queueing, tool_choice, topic_choice

SEEDS = range(4)


@cache
def success(**options):
    return float(np.mean([tool_choice(seed, rounds=160, **options) for seed in SEEDS]))


def test_sharing_beats_each_ones_own_memory():
    assert success() >= 1.25 * success(shared=False)


def test_a_long_half_life_costs_little_where_tools_change():
    fading = success(drift=100, half_life=400.0)
    assert fading >= 0.93 * success(drift=100)
    assert fading >= 1.25 * success(drift=100, shared=False)


def test_a_forger_among_eight_does_not_halve_the_result():
    assert success(forgers=1) >= 0.85 * success()


def test_without_caps_and_trust_a_forger_does():
    assert success(forgers=1, protected=False) <= 0.5 * success()


def test_near_topics_help_one_another():
    exact, pooled = (np.mean([topic_choice(s, radius) for s in SEEDS]) for radius in (0.0, 0.7))
    assert pooled >= 1.2 * exact


def test_load_left_at_the_start_of_work_spreads_it():
    seconds = {
        rule: np.mean([queueing(seed, rule) for seed in SEEDS])
        for rule in ("speed", "start", "end")
    }
    assert seconds["start"] <= 0.4 * seconds["speed"]
    # Who waits for the end of work sends everything to the one that looks idle.
    assert seconds["end"] >= 1.5 * seconds["speed"]
