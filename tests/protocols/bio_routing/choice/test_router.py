from __future__ import annotations

import heapq
import math
from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.choice.router import Router, log_odds
from tests.naive import routing_score


def test_nothing_known_is_even_odds_for_everybody():
    scores = Router().scores([0, 3], [0, 1, 2], [0, 0, 0], [1, 1, 1])
    np.testing.assert_array_equal(log_odds(scores), np.zeros((2, 3)))


# -- load ------------------------------------------------------------------------------------------


def learned_router(experts=4):
    router = Router()
    for number in range(60):
        expert = number % experts
        right = float(number % (expert + 2) > 0)
        router.estimates.answered(number % 2, expert, 1.0 + expert, right)
    return router


def test_scores_are_the_index_of_the_estimates():
    router, topics, experts = learned_router(), [1, 0, 1], [0, 1, 2, 3]
    in_flight, slots = [0, 5, 2, 9], [1, 2, 4, 1]
    expected = routing_score.index_scores(
        router.estimates.reliability([0, 1], experts),
        topics,
        router.estimates.health(experts),
        in_flight,
        slots,
        router.estimates.latency(experts),
    )
    scores = router.scores(topics, experts, in_flight, slots)
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-6)


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


def test_prices_and_sendings_that_stand_for_more_count_in_turn():
    load, slots, allowed = [0, 0], [1, 1], np.ones((4, 2), bool)
    dear = Router().scores_in_turn([0] * 4, [0, 1], load, slots, allowed, prices=[0.5, 0.0])
    # Two wait (0.4 each) before the dear one is as good.
    assert dear.argmax(axis=1).tolist() == [1, 1, 0, 1]
    plain = Router().scores_in_turn([0] * 4, [0, 1], load, slots, allowed)
    np.testing.assert_allclose(dear[0], plain[0] - np.array([0.5, 0.0]), atol=1e-6)
    many = Router().scores_in_turn([0] * 2, [0, 1], load, slots, allowed[:2], sends=3.0)
    assert many[1, 0] == pytest.approx(0.5 - 0.4 * 3.0)


@pytest.mark.parametrize(
    "wrong", [{"prices": [np.nan, 0]}, {"prices": [1, 2, 3]}, {"sends": 0.5}, {"sends": np.nan}]
)
def test_wrong_prices_and_sendings_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        Router().scores_in_turn([0], [0, 1], [0, 0], [1, 1], [[True, True]], **wrong)


def test_a_batch_spreads_over_equal_experts():
    scores = Router().scores_in_turn([0] * 9, [0, 1, 2], [0, 0, 0], [1, 1, 1], np.ones((9, 3)))
    assert np.bincount(scores.argmax(axis=1)).tolist() == [3, 3, 3]


def test_a_call_counts_from_its_sending():
    router = Router()
    router.sent(0)
    scores = router.scores([0], [0, 1], router.in_flight([0, 1]), [1, 1])[0]
    assert scores[0] < scores[1]
    router.done(0)
    assert router.in_flight([0, 1]).tolist() == [0, 0]
    with pytest.raises(InputError, match="in flight"):
        router.done(0)


# -- log-odds --------------------------------------------------------------------------------------


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


# -- a crew with queues ----------------------------------------------------------------------------


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
        self.busy = [0] * self.EXPERTS
        self.queues = [deque() for _ in range(self.EXPERTS)]
        self.endings = []
        self.sent = []
        self.good = self.finished = 0
        self.now = 0.0
        self.arrival = self.rng.exponential(1 / self.rate)

    def by_index(self, topic):
        experts, slots = range(self.EXPERTS), np.full(self.EXPERTS, self.SLOTS)
        return self.router.scores([topic], experts, self.router.in_flight(experts), slots)[0]

    def by_shortest_queue(self, topic):
        return -self.router.in_flight(range(self.EXPERTS))

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
        self.router.done(expert)
        self.router.estimates.answered(topic, expert, self.now - since, float(right))
        self.busy[expert] -= 1
        self.finished += 1
        self.good += right and self.now - since <= 5 * self.service.mean()
        self.start(expert)


def test_index_brings_more_in_time_than_the_shortest_queue():
    ratios = []
    for seed in range(3):
        index, shortest = QueueingCrew(seed), QueueingCrew(seed)
        index.run(1000, index.by_index)
        shortest.run(1000, shortest.by_shortest_queue)
        ratios.append(index.good / shortest.good)
    assert np.mean(ratios) > 1.15


def test_expert_that_turns_to_fast_garbage_is_left_within_300_tasks():
    for seed in range(3):
        crew = QueueingCrew(seed)
        crew.run(1000, crew.by_index)
        before = np.bincount(crew.sent[-500:], minlength=crew.EXPERTS) / 500
        crew.garbage = int(before.argmax())
        start = len(crew.sent)
        crew.run(400, crew.by_index)
        after = np.array(crew.sent[start : start + 350]) == crew.garbage
        windows = np.convolve(after[:300], np.ones(50) / 50, mode="valid")
        assert windows.min() < 0.2 * before.max()


# -- edges and errors ------------------------------------------------------------------------------


@pytest.mark.parametrize("weight", [-1.0, math.nan, math.inf])
def test_wrong_load_weight_is_named(weight):
    with pytest.raises(InputError, match="load_weight"):
        Router(load_weight=weight)


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
    router.estimates.answered(0, 0, 1e300, 1.0)
    router.estimates.answered(0, 1, 1e300, 1.0)
    affinity = log_odds(router.scores_in_turn([0], [0, 1], load, slots, allowed))
    assert np.isfinite(affinity).all()
    assert affinity[0, 0] < affinity[0, 1]


def test_single_expert():
    router = Router()
    router.estimates.answered(0, 0, 3.0, 1.0)
    assert router.scores([0], [0], [4], [2])[0, 0] == pytest.approx(
        router.estimates.reliability([0], [0])[0, 0] - 0.4 * 3 / 2, abs=1e-6
    )
