from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmloom.budget import Budget
from swarmloom.types import Ballot, Expert


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def budget_of(prices, **limits):
    experts = [Expert(f"e{index}", price=price) for index, price in enumerate(prices)]
    return Budget(experts, **limits)


def answer(expert, cost, error=None):
    return Ballot("t", expert, None if error else "x", cost=cost, error=error)


def known(budget):
    """Let every expert show that it costs what it declares."""
    for expert, price in enumerate(budget.prices.tolist()):
        budget.book(answer(expert, price))
    return budget


def test_without_limits_everything_is_affordable():
    budget = budget_of([0.0, 1e9])
    assert budget.affordable().all()
    assert budget.exhausted == ""


def test_each_limit_is_named_when_reached():
    budget = budget_of([1.0], calls=1)
    budget.book(answer(0, 0.5))
    assert budget.exhausted == "calls"
    budget = budget_of([1.0], cost=1.0)
    budget.book(answer(0, 1.0))
    assert budget.exhausted == "cost"
    clock = Clock()
    budget = budget_of([1.0], seconds=2.0, clock=clock)
    clock.now += 2.0
    assert budget.exhausted == "seconds"
    assert not budget.affordable().any()


def test_a_zero_cost_limit_admits_nothing():
    assert budget_of([0.0], cost=0.0).exhausted == "cost"


def test_dear_experts_drop_out_first():
    budget = known(budget_of([0.3, 0.4, 0.5], cost=2.0))
    budget.book(answer(0, 0.4))
    assert budget.affordable().tolist() == [True, True, False]


def test_what_is_reserved_is_not_left():
    budget = known(budget_of([1.0], calls=5, cost=5.0))
    price = budget.reserve(np.array([0, 0]))
    assert (budget.calls_left, budget.cost_left) == (2, 2.0)
    assert budget.in_flight.tolist() == [2]
    budget.release(0, float(price[0]))
    assert (budget.calls_left, budget.cost_left) == (3, 3.0)


def test_an_expert_of_unknown_cost_gets_one_call_at_a_time():
    budget = budget_of([1.0, 1.0], cost=50.0)
    assert budget.fitting(np.array([0, 0, 1, 0])).tolist() == [0, -1, 1, -1]
    budget.reserve(np.array([0]))
    assert budget.affordable().tolist() == [False, True]
    budget.release(0, 1.0)
    budget.book(answer(0, 10.0))
    assert budget.prices[0] == 10.0
    assert (budget.fitting(np.zeros(9, np.int64)) >= 0).sum() == 4


def test_failures_do_not_tell_a_price():
    budget = budget_of([2.0], cost=50.0)
    budget.book(answer(0, 0.0, error="gone"))
    assert budget.prices[0] == 2.0
    assert (budget.spent_calls, budget.spent_cost) == (1, 0.0)


def test_a_resumed_run_has_used_its_seconds():
    clock = Clock()
    budget = budget_of([1.0], seconds=10.0, clock=clock)
    budget.resume(7.0)
    assert budget.seconds_left == pytest.approx(3.0)


@given(
    st.lists(st.integers(-1, 3), max_size=12),
    st.lists(st.floats(0, 5), min_size=4, max_size=4),
    st.integers(0, 6),
    st.floats(0.1, 10),
)
def test_what_is_sent_together_never_exceeds_the_limits(experts, prices, calls, cost):
    budget = budget_of(prices, calls=calls, cost=cost)
    sent = budget.fitting(np.array(experts, np.int64))
    chosen = sent[sent >= 0]
    assert len(chosen) <= calls
    assert np.array(prices)[chosen].sum() <= cost + 1e-9
    assert all(new in (old, -1) for new, old in zip(sent, experts, strict=True))
