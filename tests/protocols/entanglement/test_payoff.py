"""Credit per cost with its standard error."""

from __future__ import annotations

import math

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.entanglement.payoff import PayoffRecord


def record_of(*arms, memory=1e9):
    record = PayoffRecord(len(arms), memory)
    for arm, outcomes in enumerate(arms):
        for credit, cost in outcomes:
            record.learn(arm, credit, cost)
    return record


def test_payoff_is_credit_over_cost_with_the_variance_of_repeated_samples():
    rng = np.random.default_rng(1)
    credit = (rng.random((2000, 200)) < 0.7).astype(float)
    cost = 1.0 + rng.random((2000, 200)) + credit
    spread = (credit.sum(axis=1) / cost.sum(axis=1)).var()
    record = record_of(list(zip(credit[0], cost[0], strict=True)))
    ratio, variance = record.payoff(0)
    assert ratio == pytest.approx(credit[0].sum() / cost[0].sum())
    assert variance == pytest.approx(spread, rel=0.2)


def test_free_experts_are_compared_by_credit_alone():
    record = record_of([(1.0, 0.0)] * 60 + [(0.0, 0.0)] * 40, [(1.0, 0.0)] * 100)
    assert record.payoff(0) == pytest.approx((0.6, 0.6 * 0.4 / 100))
    assert record.advantage(1, 0) == pytest.approx(0.4 / math.sqrt(0.24 / 100))


def test_cheaper_at_the_same_success_pays_more():
    record = record_of([(1.0, 1.0), (0.0, 1.1)] * 50, [(1.0, 2.0), (0.0, 2.2)] * 50)
    assert record.advantage(0, 1) > 3.0
    assert record.advantage(1, 0) == -record.advantage(0, 1)


def test_nothing_known_is_no_advantage():
    record = record_of([], [(1.0, 1.0)] * 50)
    assert record.advantage(0, 1) == record.advantage(1, 0) == 0.0


def test_equal_arms_without_any_variance_are_equal():
    record = record_of([(1.0, 0.3)] * 40, [(1.0, 0.3)] * 90)
    assert abs(record.advantage(0, 1)) < 1e-3


def test_old_outcomes_are_forgotten():
    record = record_of([(0.0, 1.0)] * 500 + [(1.0, 1.0)] * 500, memory=50)
    assert record.payoff(0)[0] > 0.999
    assert record.seen(0) == 1000


def test_snapshot():
    record = record_of([(1.0, 1.0), (0.0, 2.0)], [(1.0, 3.0)] * 3)
    other = PayoffRecord(2, 10.0)
    other.restore(record.snapshot())
    assert other.payoff(0) == record.payoff(0)
    assert other.seen(1) == 3


def test_memory_must_hold_an_outcome():
    with pytest.raises(InputError, match="memory"):
        PayoffRecord(1, 0.5)
