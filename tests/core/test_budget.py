from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from swarmloom.budget import Budget


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_without_limits_everything_is_affordable():
    budget = Budget()
    assert budget.affordable(np.array([0.0, 1e9])).all()
    assert budget.exhausted == ""


def test_each_limit_is_named_when_reached():
    clock = Clock()
    budget = Budget(calls=1, clock=clock)
    budget.book(0.5)
    assert budget.exhausted == "calls"
    budget = Budget(cost=1.0, clock=clock)
    budget.book(1.0)
    assert budget.exhausted == "cost"
    budget = Budget(seconds=2.0, clock=clock)
    clock.now += 2.0
    assert budget.exhausted == "seconds"


def test_a_zero_cost_limit_admits_nothing():
    assert Budget(cost=0.0).exhausted == "cost"


def test_dear_experts_drop_out_first():
    budget = Budget(cost=1.0)
    budget.book(0.6)
    assert budget.affordable(np.array([0.3, 0.4, 0.5])).tolist() == [True, True, False]


@given(
    st.lists(st.integers(-1, 3), max_size=12),
    st.lists(st.floats(0, 5), min_size=4, max_size=4),
    st.integers(0, 6),
    st.floats(0.1, 10),
)
def test_what_is_sent_together_never_exceeds_the_limits(experts, prices, calls, cost):
    budget = Budget(calls=calls, cost=cost)
    sent = budget.fitting(np.array(experts, np.int64), np.array(prices))
    chosen = sent[sent >= 0]
    assert len(chosen) <= calls
    assert np.array(prices)[chosen].sum() <= cost + 1e-9
    assert all(new in (old, -1) for new, old in zip(sent, experts, strict=True))
