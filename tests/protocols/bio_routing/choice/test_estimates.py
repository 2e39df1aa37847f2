from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.choice.estimates import (
    BYTES_PER_CELL,
    BYTES_PER_EXPERT,
    Estimates,
)
from tests.naive import router as naive


def test_nothing_known():
    estimates = Estimates()
    np.testing.assert_array_equal(estimates.reliability([0, 3], [0, 1]), np.full((2, 2), 0.5))
    assert estimates.pooled_reliability([2]).tolist() == [0.5]
    assert estimates.health([0, 1]).tolist() == [1.0, 1.0]
    assert estimates.latency([0, 1]).tolist() == [0.0, 0.0]


@pytest.mark.row("B4")
def test_constant_success_follows_the_closed_form_of_the_recursion():
    # n = (1 − γⁿ)/(1 − γ) observations stand behind p̂ after n successes.
    discount, prior = 0.9, 2.0
    estimates = Estimates(discount=discount, prior=prior)
    for calls in range(1, 80):
        estimates.answered(0, 0, 1.0, 1.0)
        count = (1 - discount**calls) / (1 - discount)
        expected = (count + prior / 2) / (count + prior)
        assert estimates.reliability([0], [0])[0, 0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("experts", "expected"), [(1, 1 - 1 / 500), (200, 1 - 1 / 1000)])
def test_default_discount_grows_with_the_crew(experts, expected):
    estimates = Estimates()
    estimates.reserve(1, experts)
    assert estimates.discount == expected


def test_stale_estimates_return_to_the_prior():
    estimates = Estimates(discount=0.99)
    for _ in range(50):
        estimates.answered(0, 0, 1.0, 0.0)
        estimates.failed(0)
    assert estimates.reliability([0], [0])[0, 0] < 0.03
    for _ in range(2000):
        estimates.answered(0, 1, 1.0, 0.8)
    assert estimates.reliability([0], [0])[0, 0] == pytest.approx(0.5, abs=1e-6)
    assert estimates.health([0])[0] > 0.8


def test_health_falls_at_once_and_heals():
    estimates = Estimates(discount=0.999)
    for _ in range(200):
        estimates.answered(0, 0, 1.0, 1.0)
    for _ in range(10):
        estimates.answered(0, 0, 1.0, 0.0)
    assert estimates.health([0])[0] < 0.4
    assert estimates.reliability([0], [0])[0, 0] > 0.9
    for _ in range(5000):
        estimates.answered(0, 1, 1.0, 1.0)
    assert estimates.health([0])[0] > 0.99


def test_failures_weigh_as_much_as_they_should_when_few_answers_are_judged():
    # Three of ten calls fail, four of five answers are right, one answer of fifty is judged.
    rng = np.random.default_rng(0)
    estimates = Estimates(discount=1.0)
    for _ in range(20_000):
        if rng.random() < 0.3:
            estimates.failed(0)
        else:
            right = float(rng.random() < 0.8)
            estimates.answered(0, 0, 1.0, right if rng.random() < 0.02 else None)
    assert estimates.reliability([0], [0])[0, 0] == pytest.approx(0.7 * 0.8, abs=0.06)
    assert estimates.health([0])[0] > 0.8


def test_fast_failures_earn_no_latency():
    estimates = Estimates()
    for _ in range(20):
        estimates.answered(0, 0, 4.0, 1.0)
        estimates.answered(0, 1, 0.001, 0.0)
        estimates.failed(1)
    assert estimates.latency([0, 1]).tolist() == pytest.approx([4.0, 4.0])


def test_latency_returns_to_the_mean_when_nobody_measures_it():
    estimates = Estimates(discount=0.99)
    estimates.answered(0, 0, 9.0, 1.0)
    estimates.answered(0, 1, 1.0, 1.0)
    assert estimates.latency([0])[0] > 8.9
    for _ in range(2000):
        estimates.answered(0, 1, 1.0, 1.0)
    assert estimates.latency([0])[0] == pytest.approx(5.0, abs=1e-4)


call = st.tuples(
    st.integers(0, 2),
    st.integers(0, 3),
    st.floats(0.0, 1e4),
    st.booleans(),
    st.one_of(st.sampled_from([None, 0.0, 1.0]), st.floats(0.0, 1.0)),
    st.one_of(st.just(1.0), st.floats(0.0, 1.0)),
)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(call, max_size=40),
    st.floats(0.5, 1.0),
    st.floats(0.1, 10.0),
    st.floats(0.0, 1.0),
    st.floats(0.5, 1.0),
    st.floats(0.01, 1.0),
)
def test_estimates_equal_those_kept_up_to_date_at_every_call(
    calls, discount, prior, health_step, health_memory, latency_step
):
    parameters = {
        "discount": discount,
        "prior": prior,
        "health_step": health_step,
        "health_memory": health_memory,
        "latency_step": latency_step,
    }
    estimates, reference = Estimates(**parameters), naive.NaiveEstimates(3, 4, **parameters)
    for topic, expert, latency, answered, right, weight in calls:
        reference.learn(topic, expert, latency, answered, right, weight)
        if answered:
            estimates.answered(topic, expert, latency, right, weight)
        else:
            estimates.failed(expert)
    topics, experts = [2, 0, 1, 0], [3, 0, 1, 2]
    reliability = [[reference.reliability(k, e) for e in experts] for k in topics]
    pooled = [reference.pooled(e) for e in experts]
    latency = [reference.expected_latency(e) for e in experts]
    health = [min(1.0, max(0.0, reference.health[e])) for e in experts]
    np.testing.assert_allclose(estimates.reliability(topics, experts), reliability, rtol=1e-9)
    np.testing.assert_allclose(estimates.pooled_reliability(experts), pooled, rtol=1e-9)
    np.testing.assert_allclose(estimates.latency(experts), latency, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(estimates.health(experts), health, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 0, 1.0, math.nan), "right"),
        ((0, 0, 1.0, 1.1), "right"),
        ((0, 0, 1.0, -0.1), "right"),
        ((0, 0, math.nan, 1.0), "latency"),
        ((0, 0, math.inf, 1.0), "latency"),
        ((0, 0, -1.0, 1.0), "latency"),
        ((0, 0, 1.0, 1.0, math.nan), "weight"),
        ((0, 0, 1.0, 1.0, 2.0), "weight"),
        ((-1, 0, 1.0, 1.0), "topic"),
        ((0, -1, 1.0, 1.0), "expert"),
    ],
)
def test_impossible_calls_are_refused_and_nothing_changes(arguments, message):
    estimates = Estimates()
    with pytest.raises(InputError, match=message):
        estimates.answered(*arguments)
    with pytest.raises(InputError, match="expert"):
        estimates.failed(-1)
    assert estimates.now == 0.0


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"discount": 0.0}, "discount"),
        ({"discount": 1.5}, "discount"),
        ({"prior": 0.0}, "prior"),
        ({"prior": math.nan}, "prior"),
        ({"health_step": 2.0}, "health_step"),
        ({"health_memory": 0.0}, "health_memory"),
        ({"latency_step": 0.0}, "latency_step"),
    ],
)
def test_wrong_parameters_are_named(parameters, message):
    with pytest.raises(InputError, match=message):
        Estimates(**parameters)


def test_rows_grow_and_keep_what_was_learned():
    estimates = Estimates()
    estimates.answered(0, 0, 2.0, 1.0)
    assert estimates.reliability([0], [0])[0, 0] == pytest.approx(2 / 3)
    estimates.answered(9, 30, 2.0, 1.0)
    kept = estimates.discount
    assert estimates.reliability([0], [0])[0, 0] == pytest.approx((kept + 1) / (kept + 2))
    cells = estimates.nbytes - 31 * BYTES_PER_EXPERT
    assert cells % (31 * BYTES_PER_CELL) == 0


def learned(calls=60):
    estimates = Estimates()
    for number in range(calls):
        estimates.answered(number % 2, number % 4, 1.0 + number % 4, float(number % 3 > 0))
        if number % 7 == 0:
            estimates.failed(number % 3)
    return estimates


def test_state_round_trip_goes_on_alike():
    estimates = learned()
    copy = Estimates()
    copy.restore(estimates.state())
    for one in (estimates, copy):
        one.answered(1, 5, 2.0, 0.4)
        one.failed(0)
    for read in ("health", "latency", "pooled_reliability"):
        first, second = getattr(copy, read)(range(6)), getattr(estimates, read)(range(6))
        np.testing.assert_array_equal(first, second)
    estimates.failed(0)
    assert copy.now == estimates.now - 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("version", 0),
        ("right", np.zeros((1, 1))),
        ("judged", np.full((2, 4), np.nan)),
        ("latency", np.full(4, np.inf)),
    ],
)
def test_damaged_state_is_refused_and_nothing_changes(key, value):
    estimates = learned()
    before = estimates.reliability([0], [0])
    with pytest.raises(InputError, match="estimates"):
        estimates.restore({**estimates.state(), key: value})
    np.testing.assert_array_equal(estimates.reliability([0], [0]), before)


def test_repaired_forgets_failures_and_illness_and_keeps_what_it_is_right_at():
    estimates = learned()
    for _ in range(20):
        estimates.failed(1)
    right = 2 * estimates.pooled_reliability([1])
    others = estimates.reliability([0, 1], [0, 2, 3])
    assert estimates.health([1])[0] < 0.5
    estimates.repaired(1)
    assert estimates.health([1])[0] == 1.0
    assert estimates.pooled_reliability([1])[0] > right
    np.testing.assert_array_equal(estimates.reliability([0, 1], [0, 2, 3]), others)
    estimates.repaired(9)
    assert estimates.pooled_reliability([9])[0] == 0.5


def test_believable_is_two_deviations_above_the_mean_and_comes_back_with_time():
    estimates = Estimates(discount=0.99, health_step=0.0)
    assert estimates.believable_reliability([0], [0]).tolist() == [[1.0]]
    for _ in range(30):
        estimates.answered(0, 0, 1.0, 0.0)
    rate = 1.0 / (2.0 + sum(0.99**n for n in range(30)))
    count = 1.0 / rate
    expected = rate + 2.0 * math.sqrt(rate * (1.0 - rate) / count)
    assert estimates.believable_reliability([0], [0])[0, 0] == pytest.approx(expected)
    for _ in range(600):
        estimates.answered(0, 1, 1.0, 1.0)
    assert estimates.believable_reliability([0], [0])[0, 0] > 0.9
    assert (estimates.believable_reliability([0, 1], [0, 1, 2]) <= 1.0).all()


def test_believable_is_times_health():
    estimates = Estimates()
    for _ in range(4):
        estimates.failed(0)
    health = estimates.health([0])[0]
    assert health == pytest.approx(0.9**4, rel=0.01)
    # Of four calls none was answered: 2 of 6 observations, times 1/2, and two deviations.
    best = 1 / 6 + 2.0 * math.sqrt(1 / 6 * 5 / 6 / 2.0)
    found = estimates.believable_reliability([0], [0])[0, 0]
    assert found == pytest.approx(best * health / 0.8, rel=0.01)
    scattering = Estimates()
    scattering.answered(0, 0, 1.0, 0.0)
    assert scattering.health([0])[0] == pytest.approx(0.9)
    best = 1 / 3 + 2.0 * math.sqrt(1 / 3 * 2 / 3 / 3.0)
    assert scattering.believable_reliability([0], [0])[0, 0] == pytest.approx(best)


def test_measured_latency_fades_to_nothing():
    estimates = Estimates(discount=0.9)
    assert estimates.measured_latency([0, 1]).tolist() == [0.0, 0.0]
    estimates.answered(0, 0, 8.0, 1.0)
    assert estimates.measured_latency([0, 1]).tolist() == [8.0, 0.0]
    for _ in range(10):
        estimates.answered(0, 1, 2.0, 1.0)
    assert estimates.measured_latency([0])[0] == pytest.approx(8.0 * 0.9**10)
