from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.choice.limits import Limits
from swarmloom_protocols.bio_routing.choice.pheromone import Weights
from swarmloom_protocols.bio_routing.choice.policies import POLICIES, Chooser, Ticket
from swarmloom_protocols.bio_routing.choice.trail_rules import SOURCE
from tests.naive.choice import NaiveColony

SLOTS = np.array([1, 3, 2, 1])
SCORED = {
    "auto": "index",
    "ucb": "ucb",
    "linucb": "linucb",
    "trail": "trails",
    "shortest_queue": "shortest_queue",
}

finished = st.tuples(
    st.integers(0, 2),
    st.integers(0, 3),
    st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0.0, 1.0)),
    st.floats(0.01, 50.0),
    st.one_of(st.none(), st.floats(0.0, 9.0)),
)


def only(expert, experts=4):
    return np.arange(experts) == expert


def send_to(chooser, topic, expert):
    return chooser.pick(topic, allowed=only(expert, len(chooser.load)))


# -- scores against the naive colony --------------------------------------------------------------


@pytest.mark.row("B4")
@pytest.mark.parametrize("policy", SCORED)
@settings(max_examples=25, deadline=None)
@given(
    st.lists(finished, max_size=30),
    st.lists(st.integers(0, 3), max_size=8),
    st.floats(0.3, 1.0),
    st.floats(0.0, 1.0),
)
def test_scores_are_those_of_the_whole_history(policy, history, open_tasks, discount, cost_weight):
    weights = Weights(
        discount=discount,
        cost_weight=cost_weight,
        health_memory=0.9,
        persistence=SOURCE.persistence,
        success=SOURCE.success,
        swift=SOURCE.swift,
        failure=SOURCE.failure,
    )
    chooser = Chooser(
        4,
        SLOTS,
        3,
        policy=policy,
        discount=discount,
        cost_weight=cost_weight,
        health_memory=0.9,
        reinforcement=SOURCE,
    )
    naive = NaiveColony(SLOTS, 3, weights)
    for topic, expert, ok, seconds, cost in history:
        chooser.done(send_to(chooser, topic, expert), ok, seconds, cost)
        naive.learn(topic, expert, ok, seconds, cost)
    for expert in open_tasks:
        send_to(chooser, 0, expert)
        naive.load[expert] += 1
    np.testing.assert_array_equal(chooser.load, naive.load)
    for expert in range(4):
        expected = naive.score(SCORED[policy], 1, expert)
        found = chooser.explain(send_to(chooser, 1, expert)).score
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_scales_are_renewed_without_a_trace():
    # 0.5 to the power of 400 is far below the least scale.
    chooser = Chooser(2, 1, 1, discount=0.5, health_memory=0.5)
    naive = NaiveColony([1, 1], 1, Weights(discount=0.5, health_memory=0.5))
    rng = np.random.default_rng(0)
    for ok, expert in zip(rng.random(700) < 0.6, rng.integers(2, size=700), strict=True):
        chooser.done(send_to(chooser, 0, expert), float(ok), 1.0 + expert)
        naive.learn(0, expert, float(ok), 1.0 + expert)
    expected = [naive.rate(0, e) * min(1.0, naive.health[e] / 0.8) for e in range(2)]
    np.testing.assert_allclose(chooser.reliability()[0], expected, rtol=1e-9)


def test_the_best_score_is_chosen():
    chooser = Chooser(3, 2, 2, rng=np.random.default_rng(1))
    for expert, ok in [(0, 0.2), (1, 0.9), (2, 0.4)] * 9:
        chooser.done(send_to(chooser, 0, expert), ok, 1.0)
    assert chooser.pick(0).expert == 1


def test_thompson_draws_from_the_posterior():
    # Three successes and one failure on a uniform prior: Beta(4, 2).
    chooser = Chooser(1, 10_000, 1, policy="thompson", discount=1.0)
    for ok in (1, 1, 0, 1):
        chooser.done(chooser.pick(0), ok, 1.0)
    drawn = [chooser.explain(chooser.pick(0)).score for _ in range(4000)]
    assert stats.kstest(drawn, stats.beta(4, 2).cdf).pvalue > 1e-3


@pytest.mark.parametrize("prior", [0.4, 2.0])
def test_thompson_knows_priors_below_one(prior):
    chooser = Chooser(1, 10_000, 1, policy="thompson", prior=prior)
    drawn = [chooser.explain(chooser.pick(0)).score for _ in range(4000)]
    assert stats.kstest(drawn, stats.beta(prior / 2, prior / 2).cdf).pvalue > 1e-3


# -- rules that look at nothing, or at queues -----------------------------------------------------


def test_ties_are_drawn_evenly():
    picked = [Chooser(4, 1, 1, rng=np.random.default_rng(s)).pick(0).expert for s in range(800)]
    assert stats.chisquare(np.bincount(picked, minlength=4)).pvalue > 1e-3


def test_random_is_even_among_the_allowed():
    chooser = Chooser(4, 1, 1, policy="random")
    allowed = [True, False, True, True]
    picked = [chooser.pick(0, allowed=np.array(allowed)).expert for _ in range(900)]
    counts = np.bincount(picked, minlength=4)
    assert counts[1] == 0
    assert stats.chisquare(counts[[0, 2, 3]]).pvalue > 1e-3


def test_round_robin_goes_around_and_leaves_out_the_withdrawn():
    chooser = Chooser(list("abcd"), 1, 1, policy="round_robin")
    assert [chooser.pick(0).expert for _ in range(5)] == list("abcda")
    chooser.withdraw("c")
    assert [chooser.pick(0).expert for _ in range(3)] == list("bda")
    chooser.readmit("c")
    assert [chooser.pick(0).expert for _ in range(3)] == list("bcd")


def test_power_of_two_meets_every_pair_and_takes_the_shorter_queue():
    # With loads 0, 1, 2, 3 the better of a random pair is 0 in half of the pairs, then 1/3, 1/6.
    chooser = Chooser(4, 1, 1, policy="power_of_two")
    counts = np.zeros(4)
    for _ in range(1200):
        chooser.snapshot([0, 1, 2, 3])
        counts[chooser.pick(0).expert] += 1
    assert counts[3] == 0
    assert stats.chisquare(counts[:3], np.array([600, 400, 200])).pvalue > 1e-3


def test_power_of_two_with_one_left():
    chooser = Chooser(3, 1, 1, policy="power_of_two")
    assert send_to(chooser, 0, 2).expert == 2


def test_soft_max_draws_in_proportion():
    chooser = Chooser(3, 100, 1, temperature=0.1, health_step=0.0, discount=1.0)
    for expert, ok in enumerate([0.2, 0.5, 0.6]):
        for _ in range(20):
            chooser.done(send_to(chooser, 0, expert), ok, 1.0)
    shares = np.exp(chooser.reliability()[0] / 0.1)
    counts = np.bincount([chooser.pick(0).expert for _ in range(240)], minlength=3)
    assert stats.chisquare(counts, 240 * shares / shares.sum()).pvalue > 1e-3


def test_same_generator_same_choices():
    def choices(seed):
        chooser = Chooser(5, 1, 2, policy="thompson", rng=np.random.default_rng(seed))
        picked = []
        for number in range(40):
            ticket = chooser.pick(number % 2)
            picked.append(ticket.expert)
            chooser.done(ticket, number % 3 > 0, 1.0)
        return picked

    assert choices(1) == choices(1)
    assert choices(1) != choices(2)


# -- load ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [p for p in POLICIES if p not in ("round_robin", "random")])
def test_full_experts_are_avoided(policy):
    chooser = Chooser(2, 1, 1, policy=policy)
    chooser.snapshot([30, 0])
    assert chooser.pick(0).expert == 1


def test_a_task_counts_from_its_sending_to_its_end():
    chooser = Chooser(2, [1, 2], 1)
    ticket = send_to(chooser, 0, 1)
    assert chooser.load.tolist() == [0.0, 1.0]
    chooser.done(ticket, True, 1.0)
    assert chooser.load.tolist() == [0.0, 0.0]


def test_with_several_dispatchers_an_own_task_stands_for_others_too():
    chooser = Chooser(3, 1, 1, dispatchers=10)
    chooser.snapshot([4, 0, 0])
    ticket = send_to(chooser, 0, 1)
    assert chooser.load.tolist() == [4.0, 5.0, 0.0]
    chooser.snapshot([4, 1, 0])
    chooser.done(ticket, True, 1.0)
    assert chooser.load.tolist() == [4.0, 0.0, 0.0]


def test_the_expected_wait_is_taken_out_of_latencies():
    chooser = Chooser(1, 1, 1)
    tickets = [chooser.pick(0) for _ in range(3)]
    for number, ticket in enumerate(tickets):
        chooser.done(ticket, True, 2.0 * (number + 1))
    assert chooser.explain(chooser.pick(0)).seconds == pytest.approx(2.0)


def test_costs_turn_the_choice():
    chooser = Chooser(2, 9, 1, cost_weight=0.2)
    for _ in range(5):
        chooser.done(send_to(chooser, 0, 0), True, 1.0, cost=3.0)
        chooser.done(send_to(chooser, 0, 1), True, 1.0, cost=1.0)
    assert chooser.pick(0).expert == 1


# -- scores for assignments made elsewhere -------------------------------------------------------


@pytest.mark.parametrize("policy", ["auto", "linucb", "trail", "shortest_queue"])
def test_scores_of_many_tasks_are_those_of_picks(policy):
    chooser = Chooser(4, SLOTS, 3, policy=policy, limits=Limits(max_cost=3.5))
    rng = np.random.default_rng(2)
    for number in range(60):
        expert = number % 4
        allowed = only(expert)
        ticket = chooser.pick(number % 3, allowed=allowed, limits=Limits())
        chooser.done(ticket, float(rng.random() < 0.3 + 0.2 * expert), 2.0, cost=1.0 + expert)
    chooser.withdraw(0)
    load = [0.0, 0.25, 0.5, 0.0]
    chooser.snapshot(load)
    alike, in_turn = chooser.scores([0, 2, 2]), chooser.scores([0, 2, 2], in_turn=True)
    assert chooser.load.tolist() == load
    assert np.isneginf(alike).tolist() == [[True, False, False, True]] * 3
    np.testing.assert_array_equal(alike[1], alike[2])
    for row, topic in enumerate([0, 2, 2]):
        why = chooser.explain(chooser.pick(topic))
        assert why.score == pytest.approx(in_turn[row].max(), abs=1e-12)
        assert why.runner_up_score == pytest.approx(in_turn[row, 1:3].min(), abs=1e-12)
    with pytest.raises(InputError, match="topic 3"):
        chooser.scores([0, 3])
    assert chooser.scores([]).shape == (0, 4)


# -- explanations ---------------------------------------------------------------------------------


def test_an_explanation_adds_up():
    chooser = Chooser(["ann", "bob", "eve"], 2, ["maths"], limits=Limits(max_seconds=100.0))
    for expert, ok in [("ann", 0.5), ("bob", 1.0), ("eve", 0.1)] * 10:
        allowed = np.array([name == expert for name in ("ann", "bob", "eve")])
        chooser.done(chooser.pick("maths", allowed=allowed), ok, 4.0)
    chooser.snapshot([0, 2, 0])
    why = chooser.explain(chooser.pick("maths", allowed=np.array([True, True, False])))
    assert (why.expert, why.topic, why.policy, why.candidates) == ("bob", "maths", "index", 2)
    assert (why.load, why.slots, why.wait) == (2.0, 2, 0.5)
    assert why.seconds == pytest.approx(4.0)
    assert why.score == pytest.approx(why.reliability * why.health - why.price)
    assert why.price == pytest.approx(0.4 * 0.5)
    assert why.runner_up == "ann"
    assert why.runner_up_score < why.score
    assert "'maths' to 'bob'" in str(why)
    assert "next 'ann'" in str(why)


def test_without_another_there_is_no_runner_up():
    chooser = Chooser(1, 1, 1)
    why = chooser.explain(chooser.pick(0))
    assert why.runner_up is None
    assert math.isnan(why.runner_up_score)
    assert "next" not in str(why)


def test_old_decisions_are_forgotten():
    chooser = Chooser(1, 1, 1)
    tickets = [chooser.pick(0) for _ in range(4097)]
    assert chooser.explain(tickets[1]).ticket == 1
    with pytest.raises(InputError, match="ticket 0 is not one of the last 4096"):
        chooser.explain(tickets[0])
    with pytest.raises(InputError, match="ticket 5000"):
        chooser.explain(Ticket(5000, 0, 0))


# -- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "keywords", "message"),
    [
        ((0, 1, 1), {}, "experts is 0"),
        (("ab", 1, 1), {}, "experts"),
        (([], 1, 1), {}, "experts: 0 names"),
        ((["a", "a"], 1, 1), {}, "experts: 2 names"),
        ((2, 1, 0), {}, "topics is 0"),
        ((2, 0, 1), {}, "slots"),
        ((2, [1, math.nan], 1), {}, "slots"),
        ((2, [1, 1, 1], 1), {}, "slots has shape"),
        ((2, 1, 1), {"policy": "best"}, "policy is 'best'; allowed: auto, index"),
        ((2, 1, 1), {"dispatchers": 0}, "dispatchers"),
        ((2, 1, 1), {"discount": 0.0}, "discount"),
        ((2, 1, 1), {"prior": 0.0}, "prior"),
        ((2, 1, 1), {"load_weight": -1.0}, "load_weight"),
        ((2, 1, 1), {"cost_weight": math.inf}, "cost_weight"),
        ((2, 1, 1), {"health_step": 2.0}, "health_step"),
        ((2, 1, 1), {"health_memory": 0.0}, "health_memory"),
        ((2, 1, 1), {"latency_step": 0.0}, "latency_step"),
        ((2, 1, 1), {"bonus": -0.1}, "bonus"),
        ((2, 1, 1), {"temperature": math.nan}, "temperature"),
        ((2, 1, 1), {"rng": 3}, "rng"),
    ],
)
def test_wrong_arguments_are_named(arguments, keywords, message):
    with pytest.raises(InputError, match=message):
        Chooser(*arguments, **keywords)


def test_what_is_refused_changes_nothing():
    chooser = Chooser(2, 1, 2)
    ticket = send_to(chooser, 0, 1)
    before = chooser.reliability()
    for values, message in [
        ((math.nan, 1.0), "ok"),
        ((1.5, 1.0), "ok"),
        ((1.0, -1.0), "seconds"),
        ((1.0, math.inf), "seconds"),
        ((1.0, 1e16), "seconds is 1e[+]16; allowed: finite, 0 to 1e[+]15"),
        ((1.0, 1.0, -2.0), "cost"),
    ]:
        with pytest.raises(InputError, match=message):
            chooser.done(ticket, *values)
    for load, message in [
        ([0], "shape"),
        ([0, math.nan], "in_flight of 1"),
        ([-1, 0], "in_flight of 0"),
    ]:
        with pytest.raises(InputError, match=message):
            chooser.snapshot(load)
    for wrong in ([1, 1], np.ones(3, bool)):
        with pytest.raises(InputError, match="allowed"):
            chooser.pick(0, allowed=wrong)
    with pytest.raises(InputError, match="topic 7 is not known; allowed: 0, 1"):
        chooser.pick(7)
    with pytest.raises(InputError, match="expert 'x'"):
        chooser.withdraw("x")
    with pytest.raises(InputError, match="finished"):
        chooser.evaporate(-1)
    assert chooser.load.tolist() == [0.0, 1.0]
    np.testing.assert_array_equal(chooser.reliability(), before)
    chooser.done(ticket, 1.0, 1.0)
    with pytest.raises(InputError, match="not open"):
        chooser.done(ticket, 1.0, 1.0)


def test_read_only_arrays_are_taken():
    load, allowed = np.array([3.0, 0.0]), np.array([True, True])
    load.setflags(write=False)
    allowed.setflags(write=False)
    chooser = Chooser(2, 1, 1)
    chooser.snapshot(load)
    assert chooser.pick(0, allowed=allowed).expert == 1
    assert load.tolist() == [3.0, 0.0]
