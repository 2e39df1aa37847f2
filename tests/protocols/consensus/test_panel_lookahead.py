"""The look-ahead's kernels beyond one vector: many classes, many candidates, a decision at once."""

import numpy as np
import pytest

from swarmloom_protocols.consensus.panel.likelihood import (
    EMPTY,
    answer_chances,
    new_evidence,
    option_rates,
    weigh_answers,
)
from swarmloom_protocols.consensus.panel.lookahead import (
    CLASSES,
    LANES,
    Menu,
    Question,
    ask_values,
    choice,
    decide,
    unheard,
)
from tests.naive import panel as naive

CALLS = [(0, 0), (1, 1), (2, EMPTY)]


def world(n_experts, classes, seed=0):
    rng = np.random.default_rng(seed)
    rates = 0.01 / 4 + 0.99 * rng.dirichlet(np.ones(4), size=(n_experts, classes))
    return rng.dirichlet(np.ones(classes)), rates, rng.uniform(0.0, 0.05, n_experts)


def question(prior, rates, price, n_options, pool=None, free=None):
    everybody = np.ones(len(rates), np.bool_)
    single = option_rates(rates, n_options)
    asked, given = np.array(CALLS, np.int64).T.copy()
    return Question(
        prior,
        single,
        np.log(single),
        asked,
        given,
        everybody if pool is None else pool,
        everybody if free is None else free,
        everybody,
        np.arange(len(rates)),
        price,
        float(n_options),
    )


def decided(prior, rates, price, depth, n_options=4, calls=CALLS, **masks):
    """Value of stopping and of asking everybody, in the one call that a panel makes."""
    values = np.full(len(rates), np.nan)
    asked = question(prior, rates, price, n_options, **masks)
    experts, answers = np.array(calls, np.int64).reshape(-1, 2).T.copy()
    asked = asked._replace(experts=experts, answers=answers)
    evidence = new_evidence(4, 12, len(prior))
    stop, ask = decide(asked, evidence, depth, 8, 24, values)
    assert ask == choice(stop, values)
    return stop, values


@pytest.mark.parametrize("classes", [1, CLASSES, CLASSES + 1, 2 * CLASSES + 2])
@pytest.mark.parametrize("depth", [1, 2])
def test_any_number_of_classes_is_the_enumeration(classes, depth):
    prior, rates, price = world(5, classes)
    stop, values = decided(prior, rates, price, depth)
    assert stop == pytest.approx(naive.stop_value(prior, rates, CALLS, 4), rel=1e-9)
    for expert in (3, 4):
        expected = naive.ask_value(prior, rates, CALLS, 4, price, expert, depth)
        assert values[expert] == pytest.approx(expected, rel=1e-9)
    assert np.isneginf(values[:3]).all()


def test_more_candidates_than_lanes_are_all_valued():
    prior, rates, price = world(2 * LANES + 9, 2)
    _, values = decided(prior, rates, price, 1)
    for expert in (3, LANES - 1, LANES, 2 * LANES + 2, 2 * LANES + 8):
        expected = naive.ask_value(prior, rates, CALLS, 4, price, expert, 1)
        assert values[expert] == pytest.approx(expected, rel=1e-9)
    assert np.isfinite(values[3:]).all()


def test_a_decision_in_one_call_is_the_steps_by_themselves():
    prior, rates, price = world(8, 3)
    stop, values = decided(prior, rates, price, 3)
    asked = question(prior, rates, price, 4)
    evidence = new_evidence(4, 12, 3)
    weigh_answers(prior, asked.log_rates, asked.experts, asked.answers, evidence)
    taken = np.arange(8) < 3
    steps = np.full(8, -np.inf)
    menu = Menu(asked.rates, price, np.arange(3, 8), taken, 4.0)
    assert ask_values(evidence, menu, 3, 8, steps) == stop
    np.testing.assert_array_equal(values, steps)


def test_who_is_considered():
    prior, rates, price = world(6, 2)
    pool, free = np.arange(6) >= 4, np.arange(6) != 5
    _, values = decided(prior, rates, price, 1, pool=pool, free=free)
    assert np.flatnonzero(np.isfinite(values)).tolist() == [4]
    # Nobody of the pool can be asked: everybody is, but only while there is no answer.
    nobody = np.zeros(6, np.bool_)
    _, values = decided(prior, rates, price, 1, calls=[(0, EMPTY)], pool=nobody)
    assert np.flatnonzero(np.isfinite(values)).tolist() == [1, 2, 3, 4, 5]
    _, values = decided(prior, rates, price, 1, pool=nobody)
    assert np.isneginf(values).all()


def test_chances_of_the_answers_are_the_direct_sum():
    prior, rates, _ = world(4, 7)
    experts, answers = np.array(CALLS, np.int64).T.copy()
    log_rates = np.log(option_rates(rates, 5))
    chances = answer_chances(prior, log_rates, experts, answers, new_evidence(4, 12, 7), 5.0)
    np.testing.assert_allclose(chances, naive.posterior(prior, rates, CALLS, 5)[:2], rtol=1e-9)


def test_rounding_does_not_choose():
    assert choice(0.2, np.array([0.3, 0.5, 0.5 + 1e-13])) == 1
    assert choice(0.2, np.array([0.3, 0.5, 0.5 + 1e-6])) == 2
    assert choice(0.5, np.array([0.3, 0.5])) == -1
    assert choice(0.0, np.array([-0.3, -np.inf])) == 0
    assert choice(0.0, np.full(2, -np.inf)) == -1


def test_nobody_is_followed_for_the_sake_of_rounding():
    prior, rates, price = world(6, 3)
    rates[:], price[:] = rates[0], price[0]
    nobody = np.zeros(0, np.int64)
    asked = question(prior, rates, price, 4)._replace(experts=nobody, answers=nobody)
    values = np.empty(6)
    _, ask = decide(asked, new_evidence(4, 12, 3), 3, 2, 24, values)
    assert ask == 0
    np.testing.assert_allclose(values, values[0], rtol=1e-9)


def test_one_voice_a_group_while_others_are_left():
    everybody, groups = np.ones(4, np.bool_), np.array([0, 0, 1, 2])
    speakers = np.array([True, False, True, True])
    first = np.array([0])
    assert unheard(first, everybody, groups, speakers).tolist() == [False, False, True, True]
    mute = np.zeros(4, np.bool_)
    assert unheard(first, everybody, groups, mute).tolist() == [False, False, True, True]
    twins = np.array([True, True, False, False])
    assert unheard(first, twins, groups, speakers).tolist() == twins.tolist()
