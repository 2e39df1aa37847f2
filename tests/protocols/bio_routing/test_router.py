from __future__ import annotations

import heapq
import math
from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.naive import router as naive
from tests.naive import routing_score

from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.router import (
    BYTES_PER_CELL,
    BYTES_PER_EXPERT,
    Router,
    log_odds,
)

# -- estimates --------------------------------------------------------------------------------------


def test_nothing_known_is_even_odds_for_everybody():
    router = Router()
    scores = router.scores([0, 3], [0, 1, 2], [0, 0, 0], [1, 1, 1])
    np.testing.assert_array_equal(scores, np.full((2, 3), 0.5))
    np.testing.assert_array_equal(log_odds(scores), np.zeros((2, 3)))
    assert router.latency([0, 1]).tolist() == [0.0, 0.0]


@pytest.mark.row("B4")
def test_constant_success_follows_the_closed_form_of_the_recursion():
    # Without health: n = (1 − γⁿ)/(1 − γ) observations stand behind p̂ after n successes.
    discount, prior = 0.9, 2.0
    router = Router(discount=discount, prior=prior, health_step=0.0)
    for calls in range(1, 80):
        router.learn(0, 0, 1.0, 1.0)
        count = (1 - discount**calls) / (1 - discount)
        expected = (count + prior / 2) / (count + prior)
        assert router.reliability([0], [0])[0, 0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("experts", "expected"), [(1, 1 - 1 / 500), (200, 1 - 1 / 1000)])
def test_default_discount_grows_with_the_crew(experts, expected):
    router = Router()
    router.reserve(1, experts)
    assert router.discount == expected


def test_stale_estimates_return_to_the_prior():
    router = Router(discount=0.99)
    for _ in range(50):
        router.learn(0, 0, 0.0, 1.0)
    assert router.reliability([0], [0])[0, 0] < 0.05
    for _ in range(2000):
        router.learn(0, 1, 0.8, 1.0)
    assert router.reliability([0], [0])[0, 0] == pytest.approx(0.5, abs=1e-6)
    assert router.health([0])[0] > 0.8


def test_health_falls_at_once_and_heals():
    router = Router(discount=0.999)
    for _ in range(200):
        router.learn(0, 0, 1.0, 1.0)
    for _ in range(10):
        router.learn(0, 0, 0.0, 1.0)
    assert router.health([0])[0] < 0.4
    assert router.reliability([0], [0])[0, 0] > 0.9
    for _ in range(5000):
        router.learn(0, 1, 1.0, 1.0)
    assert router.health([0])[0] > 0.99


def test_fast_failures_earn_no_latency():
    router = Router()
    for _ in range(20):
        router.learn(0, 0, 1.0, 4.0)
        router.learn(0, 1, 0.0, 0.001)
    assert router.latency([0, 1]).tolist() == pytest.approx([4.0, 4.0])


def test_latency_returns_to_the_mean_when_nobody_measures_it():
    router = Router(discount=0.99)
    router.learn(0, 0, 1.0, 9.0)
    router.learn(0, 1, 1.0, 1.0)
    assert router.latency([0])[0] > 8.9
    for _ in range(2000):
        router.learn(0, 1, 1.0, 1.0)
    assert router.latency([0])[0] == pytest.approx(5.0, abs=1e-4)


call = st.tuples(
    st.integers(0, 2),
    st.integers(0, 3),
    st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0.0, 1.0)),
    st.floats(0.0, 1e4),
    st.one_of(st.just(1.0), st.floats(0.0, 1.0)),
)


@settings(max_examples=60, deadline=None)
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
    router, reference = Router(**parameters), naive.NaiveRouter(3, 4, **parameters)
    for one in calls:
        router.learn(*one)
        reference.learn(*one)
    topics, experts = [2, 0, 1, 0], [3, 0, 1, 2]
    reliability = [[reference.reliability(k, e) for e in experts] for k in topics]
    latency = [reference.expected_latency(e) for e in experts]
    health = [min(1.0, max(0.0, reference.health[e])) for e in experts]
    in_flight, slots = [0, 5, 2, 9], [1, 2, 4, 1]
    np.testing.assert_allclose(router.reliability(topics, experts), reliability, rtol=1e-9)
    np.testing.assert_allclose(router.latency(experts), latency, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(router.health(experts), health, rtol=1e-9, atol=1e-9)
    expected = routing_score.index_scores(reliability, range(4), health, in_flight, slots, latency)
    scores = router.scores(topics, experts, in_flight, slots)
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-5)


# -- load -------------------------------------------------------------------------------------------


def learned_router(experts=4):
    router = Router()
    for number in range(60):
        expert = number % experts
        router.learn(number % 2, expert, float(number % (expert + 2) > 0), 1.0 + expert)
    return router


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 1), max_size=12), st.integers(0, 2**32 - 1))
def test_scores_in_turn_equal_scoring_after_each_sending(topics, seed):
    rng = np.random.default_rng(seed)
    router, experts = learned_router(), [0, 1, 2, 3]
    slots = rng.integers(1, 4, 4)
    load = rng.integers(0, 3, 4)
    allowed = rng.random((len(topics), 4)) < 0.7
    found = router.scores_in_turn(topics, experts, load, slots, allowed)
    for row, topic in enumerate(topics):
        expected = router.scores([topic], experts, load, slots)[0]
        np.testing.assert_allclose(found[row], expected, rtol=1e-6, atol=1e-6)
        if allowed[row].any():
            load[np.where(allowed[row], expected, -np.inf).argmax()] += 1


def test_a_batch_spreads_over_equal_experts():
    scores = Router().scores_in_turn([0] * 9, [0, 1, 2], [0, 0, 0], [1, 1, 1], np.ones((9, 3)))
    assert np.bincount(scores.argmax(axis=1)).tolist() == [3, 3, 3]


def test_a_call_counts_from_its_sending():
    router = Router()
    router.reserve(1, 2)
    router.sent(0)
    scores = router.scores([0], [0, 1], router.in_flight, [1, 1])[0]
    assert scores[0] < scores[1]
    router.done(0, 0, 1.0, 1.0)
    assert router.in_flight.tolist() == [0, 0]
    with pytest.raises(InputError, match="in flight"):
        router.done(0, 0, 1.0, 1.0)
    assert router.now == 1.0


# -- log-odds -----------------------------------------------------------------------------------------


def test_log_odds_of_a_probability():
    rates = np.array([0.05, 0.2, 0.5, 0.9])
    np.testing.assert_allclose(log_odds(rates), np.log(rates / (1 - rates)), rtol=1e-6)


@given(st.floats(-100.0, 0.999), st.floats(1e-4, 1.0))
def test_log_odds_keep_the_order(index, step):
    low, high = log_odds([index, min(0.9999, index + step)])
    assert low < high
    assert np.isfinite([low, high]).all()


def test_log_odds_are_smooth_where_the_tangent_begins():
    below, at, above = log_odds([0.05 - 1e-3, 0.05, 0.05 + 1e-3]).tolist()
    assert at - below == pytest.approx(above - at, rel=0.02)


def test_log_odds_of_the_edges_are_finite():
    assert np.isfinite(log_odds([1.0, 0.0, -1e30])).all()


# -- a crew with queues -------------------------------------------------------------------------------


class QueueingCrew:
    """Poisson arrivals to eight experts of four slots each, first come, first served.

    Success of each expert × topic and its speed are unknown to the router; service times are
    log-normal. An expert that turned to garbage answers at once and is never right.
    """

    EXPERTS, SLOTS, TOPICS, LOAD, SPREAD = 8, 4, 5, 0.85, 0.8

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.skill = self.rng.uniform(0.2, 0.95, (self.TOPICS, self.EXPERTS))
        self.service = self.rng.lognormal(0.0, 0.5, self.EXPERTS)
        self.rate = self.LOAD * self.SLOTS * (1 / self.service).sum()
        self.garbage = -1
        self.router = Router()
        self.router.reserve(self.TOPICS, self.EXPERTS)
        self.busy = [0] * self.EXPERTS
        self.queues = [deque() for _ in range(self.EXPERTS)]
        self.endings = []
        self.sent = []
        self.good = self.finished = 0
        self.now = 0.0
        self.arrival = self.rng.exponential(1 / self.rate)

    def by_index(self, topic):
        slots = np.full(self.EXPERTS, self.SLOTS)
        load = self.router.in_flight
        return self.router.scores([topic], range(self.EXPERTS), load, slots)[0]

    def by_shortest_queue(self, topic):
        return -self.router.in_flight

    def run(self, finished, choose):
        """Go on until so many more calls have ended."""
        stop = self.finished + finished
        while self.finished < stop:
            if not self.endings or self.arrival < self.endings[0][0]:
                self.send(choose)
            else:
                self.end()

    def send(self, choose):
        self.now = self.arrival
        self.arrival += self.rng.exponential(1 / self.rate)
        topic = int(self.rng.integers(self.TOPICS))
        scores = choose(topic)
        expert = int(self.rng.choice(np.flatnonzero(scores == scores.max())))
        self.sent.append(expert)
        self.router.sent(expert)
        self.queues[expert].append((topic, self.now))
        self.start(expert)

    def start(self, expert):
        if self.queues[expert] and self.busy[expert] < self.SLOTS:
            topic, since = self.queues[expert].popleft()
            self.busy[expert] += 1
            usual = self.rng.lognormal(-(self.SPREAD**2) / 2, self.SPREAD)
            seconds = self.service[expert] * (0.05 if expert == self.garbage else usual)
            heapq.heappush(self.endings, (self.now + seconds, expert, topic, since))

    def end(self):
        self.now, expert, topic, since = heapq.heappop(self.endings)
        right = expert != self.garbage and self.rng.random() < self.skill[topic, expert]
        self.router.done(topic, expert, float(right), self.now - since)
        self.busy[expert] -= 1
        self.finished += 1
        self.good += right and self.now - since <= 5 * self.service.mean()
        self.start(expert)


def test_index_brings_more_in_time_than_the_shortest_queue():
    ratios = []
    for seed in range(4):
        index, shortest = QueueingCrew(seed), QueueingCrew(seed)
        index.run(1500, index.by_index)
        shortest.run(1500, shortest.by_shortest_queue)
        ratios.append(index.good / shortest.good)
    assert np.mean(ratios) > 1.15


def test_expert_that_turns_to_fast_garbage_is_left_within_300_tasks():
    for seed in range(4):
        crew = QueueingCrew(seed)
        crew.run(1000, crew.by_index)
        before = np.bincount(crew.sent[-500:], minlength=crew.EXPERTS) / 500
        crew.garbage = int(before.argmax())
        start = len(crew.sent)
        crew.run(400, crew.by_index)
        after = np.array(crew.sent[start : start + 350]) == crew.garbage
        windows = np.convolve(after[:300], np.ones(50) / 50, mode="valid")
        assert windows.min() < 0.2 * before.max()


# -- edges and errors ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 0, math.nan, 1.0), "success"),
        ((0, 0, 1.1, 1.0), "success"),
        ((0, 0, -0.1, 1.0), "success"),
        ((0, 0, 1.0, math.nan), "latency"),
        ((0, 0, 1.0, math.inf), "latency"),
        ((0, 0, 1.0, -1.0), "latency"),
        ((0, 0, 1.0, 1.0, math.nan), "weight"),
        ((0, 0, 1.0, 1.0, 2.0), "weight"),
        ((-1, 0, 1.0, 1.0), "topic"),
        ((0, -1, 1.0, 1.0), "expert"),
    ],
)
def test_impossible_calls_are_refused_and_nothing_changes(arguments, message):
    router = Router()
    with pytest.raises(InputError, match=message):
        router.learn(*arguments)
    assert router.now == 0.0


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"load_weight": -1.0}, "load_weight"),
        ({"load_weight": math.nan}, "load_weight"),
        ({"discount": 0.0}, "discount"),
        ({"discount": 1.5}, "discount"),
        ({"prior": 0.0}, "prior"),
        ({"health_step": 2.0}, "health_step"),
        ({"health_memory": 0.0}, "health_memory"),
        ({"latency_step": 0.0}, "latency_step"),
    ],
)
def test_wrong_parameters_are_named(parameters, message):
    with pytest.raises(InputError, match=message):
        Router(**parameters)


@pytest.mark.parametrize(
    ("in_flight", "slots", "allowed"),
    [
        ([0], [1, 1], [[True, True]]),
        ([0, math.nan], [1, 1], [[True, True]]),
        ([0, -1], [1, 1], [[True, True]]),
        ([0, 0], [1, 0], [[True, True]]),
        ([0, 0], [1, 1], [[True]]),
    ],
)
def test_wrong_loads_are_refused(in_flight, slots, allowed):
    with pytest.raises(InputError):
        Router().scores_in_turn([0], [0, 1], in_flight, slots, allowed)


@pytest.mark.parametrize(("topics", "experts"), [([], [0, 1]), ([0, 1], []), ([], [])])
def test_empty_rounds(topics, experts):
    nobody = np.ones(len(experts))
    allowed = np.ones((len(topics), len(experts)), dtype=bool)
    shape = (len(topics), len(experts))
    assert Router().scores(topics, experts, nobody, nobody).shape == shape
    assert Router().scores_in_turn(topics, experts, nobody, nobody, allowed).shape == shape


def test_read_only_and_huge_arguments():
    load, slots, allowed = np.array([10**9, 0]), np.array([1, 10**6]), np.ones((1, 2), bool)
    for array in (load, slots, allowed):
        array.setflags(write=False)
    router = Router()
    router.learn(0, 0, 1.0, 1e300)
    router.learn(0, 1, 1.0, 1e300)
    affinity = log_odds(router.scores_in_turn([0], [0, 1], load, slots, allowed))
    assert np.isfinite(affinity).all()
    assert affinity[0, 0] < affinity[0, 1]


def test_single_expert():
    router = Router()
    router.learn(0, 0, 1.0, 3.0)
    assert router.scores([0], [0], [4], [2])[0, 0] == pytest.approx(
        router.reliability([0], [0])[0, 0] - 0.4 * 3 / 2, abs=1e-6
    )


def test_rows_grow_and_keep_what_was_learned():
    router = Router()
    router.learn(0, 0, 1.0, 2.0)
    before = router.reliability([0], [0])[0, 0]
    router.learn(9, 30, 1.0, 2.0)
    kept = router.discount
    assert router.reliability([0], [0])[0, 0] == pytest.approx((kept + 1) / (kept + 2))
    assert before == pytest.approx(2 / 3)
    topics = router.nbytes - 31 * BYTES_PER_EXPERT
    assert topics % (31 * BYTES_PER_CELL) == 0


def test_state_round_trip_goes_on_alike():
    router = learned_router()
    copy = Router()
    copy.restore(router.state())
    for one in (router, copy):
        one.learn(1, 5, 0.4, 2.0)
    arguments = ([0, 1, 2], range(6), [3] * 6, [1] * 6)
    np.testing.assert_array_equal(copy.scores(*arguments), router.scores(*arguments))
    router.learn(0, 0, 0.0, 1.0)
    assert copy.now == router.now - 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("version", 0),
        ("success", np.zeros((1, 1))),
        ("count", np.full((2, 4), np.nan)),
        ("latency", np.full(4, np.inf)),
    ],
)
def test_damaged_state_is_refused_and_nothing_changes(key, value):
    router = learned_router()
    before = router.reliability([0], [0])
    with pytest.raises(InputError, match="router"):
        router.restore({**router.state(), key: value})
    np.testing.assert_array_equal(router.reliability([0], [0]), before)
