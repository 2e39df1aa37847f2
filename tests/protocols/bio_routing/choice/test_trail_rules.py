from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.choice.policies import Chooser
from swarmloom_protocols.bio_routing.choice.trail_rules import AVERAGED, SOURCE, Reinforcement


def trail_of(chooser):
    # An idle expert's score is its trail.
    return chooser.explain(chooser.pick(0)).score


@pytest.mark.row("B4")
def test_the_sources_numbers():
    assert (SOURCE.persistence, SOURCE.success, SOURCE.swift, SOURCE.failure) == (0.9, 1.5, 2, 0.5)
    assert SOURCE.caps == (0.5, 2)


@pytest.mark.row("B4")
@pytest.mark.parametrize("rule", [AVERAGED, SOURCE])
@pytest.mark.parametrize("ok", [0.0, 1.0])
def test_equal_deposits_follow_the_closed_form(rule, ok):
    chooser = Chooser(1, 1000, 1, policy="trail", reinforcement=rule)
    for count in range(60):
        deposit = rule.swift if ok else rule.failure
        assert trail_of(chooser) == pytest.approx(rule.after(rule.start, deposit, count))
        chooser.done(chooser.pick(0), ok, 1.0)


@pytest.mark.row("B4")
def test_slow_successes_leave_less_than_swift_ones():
    chooser = Chooser(2, 1000, 1, policy="trail", reinforcement=SOURCE)
    for _ in range(80):
        for expert, seconds in [(0, 1.0), (1, 3.0)]:
            ticket = chooser.pick(0, allowed=np.arange(2) == expert)
            chooser.done(ticket, True, seconds)
    scores = [
        chooser.explain(chooser.pick(0, allowed=np.arange(2) == expert)).score for expert in (0, 1)
    ]
    assert scores == pytest.approx([SOURCE.swift, SOURCE.success], rel=1e-3)


@pytest.mark.row("B4")
@given(st.lists(st.floats(0.0, 1.0), max_size=50), st.integers(0, 2**32 - 1))
def test_a_trail_stays_within_its_caps(successes, seed):
    rng = np.random.default_rng(seed)
    chooser = Chooser(1, 1000, 1, policy="trail", reinforcement=SOURCE)
    least, most = SOURCE.caps
    for ok in successes:
        chooser.done(chooser.pick(0), ok, float(rng.exponential()))
        assert least <= trail_of(chooser) <= most


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ((1.1, 1.0, 1.0, 0.0), "persistence"),
        ((0.9, math.nan, 1.0, 0.0), "success"),
        ((0.9, 1.0, math.inf, 0.0), "swift"),
        ((0.9, 1.0, 1.0, -1.0), "failure"),
        ((0.9, 1.0, 0.5, 0.0), "failure ≤ success ≤ swift"),
    ],
)
def test_wrong_numbers_are_named(numbers, message):
    with pytest.raises(InputError, match=message):
        Reinforcement(*numbers)


def test_counts_are_whole():
    with pytest.raises(InputError, match="count"):
        SOURCE.after(1.0, 1.0, -1)
