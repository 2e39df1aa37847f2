"""Near topics help where they are alike, and do no harm where only their names are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.topic_map import TopicMap
from swarmloom_protocols.stigmergy.topic_pooling import CANDIDATES, Candidate, TopicPooling
from swarmloom_protocols.stigmergy.trails import TrailTable
from tests.naive import topic_pooling as naive


def pooling_of(places, depositors=None, **options):
    placed = np.asarray(places, dtype=np.float64)
    topics = TopicMap(lambda names: placed[[int(name) for name in names]])
    topics.extend([str(row) for row in range(len(placed))])
    return TopicPooling(topics, depositors or {0: 1.0}, **options)


def learn(trails, pooling, topic, expert, right):
    pooling.observe(trails, str(topic), expert, right, 1.0)
    trails.deposit(topic, expert, 0, right, 1.0 - right)


def rates_of(trails, pooling, topics, experts, rng=None):
    rows = np.array(list(experts), dtype=np.int64)
    prior = pooling.prior(trails, [str(topic) for topic in topics], rows)
    return trails.rates(topics, rows, rng, prior)


PLACES = [[1.0, 0.0], [0.8, 0.6], [0.6, 0.8], [-1.0, 0.0]]


# -- what it gives ---------------------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=20
    ),
    st.floats(0.5, 20.0),
)
def test_rates_and_weights_are_those_of_going_through_all_pairs(seen, topic_prior):
    trails = TrailTable(topic_prior=topic_prior)
    pooling = pooling_of(PLACES, topic_prior=topic_prior)
    ways = [*((c.width, c.cap) for c in CANDIDATES), (None, 0.0)]
    scores = [0.0] * 7
    cells, sums = {}, [[0.0, 0.0] for _ in range(3)]

    def plain(expert):
        crew = naive_rate(sums[2], 0.5)
        rate = naive_rate(sums[expert], crew)
        return topic_prior * rate, topic_prior * (1 - rate)

    def cells_of(expert):
        return {topic: cells.get((topic, expert), (0.0, 0.0)) for topic in range(4)}

    for topic, expert, right in seen:
        near = naive.near(PLACES, topic, 0.2)
        if near:
            known = cells_of(expert)
            given = known, known[topic], near
            for one, (width, cap) in enumerate(ways):
                scores[one] += naive.log_score(*given, width, cap, plain(expert), right)
        learn(trails, pooling, topic, expert, float(right))
        for pair in (sums[expert], sums[2]):
            pair[1 - right] += 1.0
        old = cells_of(expert)[topic]
        cells[topic, expert] = (old[0] + right, old[1] + 1 - right)

    weights = np.exp(np.array(scores) - max(scores))
    weights /= weights.sum()
    np.testing.assert_allclose(pooling.weights, weights, rtol=1e-6)
    rates = rates_of(trails, pooling, [0, 1, 2, 3, 0], [0, 1])
    for topic in range(4):
        near = naive.near(PLACES, topic, 0.2)
        for expert in range(2):
            prior = list(plain(expert))
            for weight, (width, cap) in zip(weights[:-1], ways[:-1], strict=True):
                moved = naive.prior(cells_of(expert), near, width, cap, plain(expert))
                for kind in (0, 1):
                    prior[kind] += weight * (moved[kind] - plain(expert)[kind])
            success, failure = (a + b for a, b in zip(prior, cells_of(expert)[topic], strict=True))
            assert rates[topic, expert] == pytest.approx(
                success / (success + failure), rel=2e-3, abs=1e-4
            )


def naive_rate(pair, expected):
    return (pair[0] + 4.0 * expected) / (sum(pair) + 4.0)


def test_without_near_topics_rates_stay_to_the_last_bit():
    rng = np.random.default_rng(3)
    trails, pooling = TrailTable(topic_prior=3.3), pooling_of(np.eye(6), topic_prior=3.3)
    for _ in range(300):
        topic, expert = rng.integers(0, 6, 2).tolist()
        learn(trails, pooling, topic, expert, float(rng.random() < 0.6))
    everything = range(6), range(6)
    np.testing.assert_array_equal(rates_of(trails, pooling, *everything), trails.rates(*everything))
    pooled = rates_of(trails, pooling, *everything, np.random.default_rng(1))
    np.testing.assert_array_equal(pooled, trails.rates(*everything, np.random.default_rng(1)))


def test_a_new_topic_starts_from_its_near_ones():
    trails, pooling = TrailTable(), pooling_of([[1.0, 0.0], [0.99, 0.1], [0.0, 1.0]])
    for expert, right in ((0, 1.0), (1, 0.0)):
        for _ in range(20):
            learn(trails, pooling, 0, expert, right)
            learn(trails, pooling, 2, expert, 1.0 - right)
    near = rates_of(trails, pooling, [1], [0, 1])[0]
    alone = trails.rates([1], [0, 1])[0]
    assert near[0] > 0.6 > 0.4 > near[1]
    np.testing.assert_allclose(alone, 0.5, atol=0.01)


def test_own_observations_overcome_what_near_topics_say():
    candidates = [Candidate(0.5, 16.0)]
    pooling = pooling_of([[1.0, 0.0], [1.0, 0.0]], candidates=candidates)
    trails = TrailTable()
    trails.deposit(0, 0, 0, success=1000.0)
    trails.deposit(1, 0, 0, failure=200.0)
    assert rates_of(trails, pooling, [1], [0])[0, 0] < 0.1


# -- what it learns --------------------------------------------------------------------------------


def semantic_world(seed, alike, topics=60, tools=12, clusters=6):
    """Places of topics in clusters, and success rates by cluster or of each topic's own."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(clusters, 32))
    of = rng.integers(0, clusters, topics)
    places = centres / np.linalg.norm(centres, axis=1, keepdims=True)
    places = places[of] + 0.06 * rng.normal(size=(topics, 32))
    by_cluster = rng.beta(0.75, 2.25, (clusters, tools))[of]
    return rng, places, by_cluster if alike else rng.beta(0.75, 2.25, (topics, tools))


def learned_weights(seed, alike, tries=3000):
    """Weights after tries of random tools on random topics; "not at all" comes last."""
    rng, places, truth = semantic_world(seed, alike)
    trails, pooling = TrailTable(), pooling_of(places)
    for _ in range(tries):
        topic, tool = rng.integers(0, truth.shape).tolist()
        learn(trails, pooling, topic, tool, float(rng.random() < truth[topic, tool]))
    return pooling.weights


@pytest.mark.parametrize("seed", range(4))
def test_topics_that_are_alike_are_found_to_be(seed):
    weights = learned_weights(seed, alike=True)
    assert weights[-1] < 1e-6
    assert weights[2:6].sum() > 0.99  # Wide enough for a cluster.


@pytest.mark.parametrize("seed", range(4))
def test_names_that_mislead_are_found_out(seed):
    weights = learned_weights(seed, alike=False)
    # The narrowest kernel hardly reaches another topic, and can do no harm.
    assert weights[2:6].sum() < 0.01
    assert weights[-1] > 0.3


def test_observations_without_weight_and_without_near_topics_teach_nothing():
    trails, pooling = TrailTable(), pooling_of(PLACES)
    before = pooling.weights
    pooling.observe(trails, "3", 0, 1.0, 1.0)
    pooling.observe(trails, "0", 0, 1.0, 0.0)
    np.testing.assert_array_equal(pooling.weights, before)


def test_only_the_word_of_the_named_depositors_judges():
    """A forger that deposits agreement on near topics cannot make them count."""
    pooled = []
    for forged in (0.0, 500.0):
        trails, pooling = TrailTable(), pooling_of(PLACES)
        for topic in (0, 1):
            trails.deposit(topic, 0, 7, success=forged)
        for right in (1.0, 0.0, 1.0):
            learn(trails, pooling, 0, 0, right)
            learn(trails, pooling, 1, 0, 1.0 - right)
        pooled.append(pooling.weights)
    np.testing.assert_array_equal(*pooled)


def test_old_observations_decay_in_what_is_expected():
    trails, pooling = TrailTable(half_life=5.0), pooling_of(PLACES, half_life=5.0)
    fresh = pooling_of(PLACES, half_life=5.0)
    for _ in range(20):
        learn(trails, pooling, 0, 0, 1.0)
    trails.advance(1e6)
    copied = pooling.state()
    fresh.restore({**copied, "sums": TrailTable(half_life=5.0).state()})
    for one in (pooling, fresh):
        one.observe(trails, "1", 0, 0.0, 1.0)
    np.testing.assert_allclose(pooling.weights, fresh.weights)


# -- state -----------------------------------------------------------------------------------------


def test_state_round_trip_goes_on_alike():
    rng = np.random.default_rng(1)
    trails, pooling = TrailTable(), pooling_of(PLACES)
    for _ in range(50):
        learn(trails, pooling, *rng.integers(0, 3, 2).tolist(), float(rng.random() < 0.5))
    other = pooling_of(PLACES)
    other.restore(pooling.state())
    for one in (pooling, other):
        one.observe(trails, "0", 1, 1.0, 1.0)
    np.testing.assert_array_equal(pooling.weights, other.weights)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("version", 9, "version 9; known: 1"),
        ("log_likelihood", [0.0, 1.0], "shape"),
        ("log_likelihood", [math.nan] * 7, "finite"),
        ("sums", {"version": 0}, "version"),
    ],
)
def test_damaged_state_is_refused_and_nothing_changes(key, value, message):
    trails, pooling = TrailTable(), pooling_of(PLACES)
    learn(trails, pooling, 0, 0, 1.0)
    learn(trails, pooling, 1, 0, 1.0)
    before = pooling.weights
    changed = {**pooling.state(), "log_likelihood": np.zeros(7), key: value}
    with pytest.raises(InputError, match=message):
        pooling.restore(changed)
    np.testing.assert_array_equal(pooling.weights, before)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"topic_prior": 0.0}, "topic_prior"),
        ({"expert_prior": -1.0}, "expert_prior"),
        ({"candidates": [Candidate(0.0, 1.0)]}, "width"),
        ({"candidates": [Candidate(1.0, math.nan)]}, "cap"),
    ],
)
def test_wrong_arguments_are_named(wrong, message):
    with pytest.raises(InputError, match=message):
        pooling_of(PLACES, **wrong)


def test_without_candidates_nothing_is_pooled():
    trails, pooling = TrailTable(), pooling_of(PLACES, candidates=())
    learn(trails, pooling, 0, 0, 1.0)
    assert pooling.weights.tolist() == [1.0]
    np.testing.assert_array_equal(rates_of(trails, pooling, [1], [0]), trails.rates([1], [0]))
