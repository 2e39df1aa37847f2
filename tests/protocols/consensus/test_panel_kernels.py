"""The panel's kernels against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from swarmloom_protocols.consensus.panel.learning import Counts, History, share_out
from swarmloom_protocols.consensus.panel.likelihood import (
    OTHER,
    POPULAR,
    RIGHT,
    TRUTHS,
    marginals,
    new_evidence,
    option_rates,
    weigh_answers,
)
from swarmloom_protocols.consensus.panel.lookahead import Menu, ask_values
from swarmloom_protocols.consensus.panel.records import distinct_tasks
from tests.naive import panel as naive
from tests.protocols.consensus.panel_worlds import columns, small_worlds

quick = settings(max_examples=60, deadline=None)


def weighed(world):
    prior, rates, calls, n_options = world
    evidence = new_evidence(4, 12, prior.shape[0])
    log_rates = np.log(option_rates(rates, n_options))
    for array in (prior, log_rates):
        array.flags.writeable = False
    weigh_answers(prior, log_rates, *columns(calls), evidence)
    return evidence


@quick
@given(small_worlds())
def test_posterior_is_the_direct_sum(world):
    prior, rates, calls, n_options = world
    evidence = weighed(world)
    named = int(evidence.named[0])
    total = marginals(evidence.joint, 0, named, max(n_options, 2.0))
    expected = naive.posterior(prior, rates, calls, n_options)
    found = evidence.joint[0, TRUTHS, : named + 1].sum(axis=-1) / total
    np.testing.assert_allclose(found[1:], expected[:named], rtol=1e-9, atol=1e-9)
    if n_options > 1 and named < n_options:
        np.testing.assert_allclose(found[0], expected[-1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_look_ahead_is_the_enumeration(depth):
    @settings(max_examples=(60, 30, 12)[depth - 1], deadline=None)
    @given(small_worlds(max_experts=3, max_options=4))
    def check(world):
        prior, rates, calls, n_options = world
        price = np.linspace(0.01, 0.05, len(rates))
        evidence = weighed(world)
        taken = np.zeros(len(rates), np.bool_)
        taken[[expert for expert, _ in calls]] = True
        menu = Menu(
            option_rates(rates, n_options),
            price,
            np.flatnonzero(~taken),
            taken,
            max(n_options, 2.0),
        )
        values = np.full(len(rates), -np.inf)
        stop = ask_values(evidence, menu, depth, 8, values)
        assert stop == pytest.approx(naive.stop_value(prior, rates, calls, n_options), abs=1e-9)
        for expert in np.flatnonzero(~taken):
            expected = naive.ask_value(prior, rates, calls, n_options, price, expert, depth)
            assert values[expert] == pytest.approx(expected, rel=1e-9, abs=1e-9)
        assert np.isneginf(values[taken]).all()

    check()


def test_narrow_look_ahead_is_never_above_the_full_one():
    rng = np.random.default_rng(3)
    prior, rates = rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(4), size=(6, 3))
    single = option_rates(rates, 5)
    found = []
    for width in (1, 6):
        evidence = new_evidence(4, 12, 3)
        nobody = np.empty(0, np.int64)
        weigh_answers(prior, np.log(single), nobody, nobody, evidence)
        menu = Menu(single, np.full(6, 0.02), np.arange(6), np.zeros(6, np.bool_), 5.0)
        values = np.empty(6)
        ask_values(evidence, menu, 3, width, values)
        found.append(values)
    assert (found[0] <= found[1] + 1e-12).all()
    assert (found[0] < found[1] - 1e-6).any()


@pytest.mark.parametrize("graded", [False, True])
def test_expected_counts_are_the_direct_sums(graded):
    @quick
    @given(small_worlds())
    def check(world):
        prior, rates, calls, n_options = world
        if n_options == 1:
            return
        named = max((answer + 1 for _, answer in calls), default=0)
        truth = min(named, n_options - 1) if graded else -1
        counts = shared_out(prior, rates, calls, n_options, truth, 0.25)
        difficulty, shares = naive.expected_counts(prior, rates, calls, n_options, truth)
        weight = 1.0 if graded else 0.25
        np.testing.assert_allclose(counts.difficulty[0], weight * np.array(difficulty), atol=1e-9)
        for (expert, _), share in zip(calls, shares, strict=True):
            # With two options no wrong answer is "other": the popular one is the only one.
            np.testing.assert_allclose(
                counts.outcome[expert], weight * np.array(share), rtol=1e-7, atol=1e-9
            )
            assert counts.calls[0, expert] == weight
            right = weight * sum(row[RIGHT] for row in share)
            assert counts.right[0, expert] == pytest.approx(right, abs=1e-9)
            expected = weight * np.dot(difficulty, rates[expert, :, RIGHT])
            assert counts.expected[0, expert] == pytest.approx(expected, abs=1e-9)

    check()


def shared_out(prior, rates, calls, n_options, truth, ungraded_weight):
    experts, answers = columns(calls)
    history = History(
        np.array([0, len(calls)]),
        experts,
        answers,
        np.array([0]),
        np.array([n_options]),
        np.array([truth]),
    )
    classes = prior.shape[0]
    one = (1, len(rates))
    counts = Counts(
        np.zeros((len(rates), classes, 4)),
        np.zeros((1, classes)),
        np.zeros(one),
        np.zeros(one),
        np.zeros(one),
    )
    share_out(
        history,
        prior[None],
        np.log(rates)[None],
        np.log(rates[..., POPULAR] + rates[..., OTHER])[None],
        np.ascontiguousarray(rates[..., RIGHT]),
        ungraded_weight,
        distinct_tasks(history),
        counts,
    )
    return counts


def test_a_hundred_answers_neither_overflow_nor_vanish():
    rng = np.random.default_rng(0)
    rates = np.tile(np.array([0.6, 0.05, 0.2, 0.15]), (100, 2, 1))
    rates[:, 0, 0], rates[:, 0, 3] = 0.3, 0.45
    calls = [(expert, int(rng.integers(3))) for expert in range(100)]
    evidence = new_evidence(4, 12, 2)
    weigh_answers(np.full(2, 0.5), np.log(option_rates(rates, 1000)), *columns(calls), evidence)
    total = marginals(evidence.joint, 0, int(evidence.named[0]), 1000.0)
    assert np.isfinite(total)
    assert total > 0


def test_repetitions_are_counted_and_nothing_else_is_taken_for_one():
    rng = np.random.default_rng(1)
    tasks = 300
    length = rng.integers(0, 3, tasks)
    first = np.concatenate([[0], np.cumsum(length)])
    calls = rng.integers(0, 2, (2, first[-1]))
    columns_of = rng.integers(0, 2, (3, tasks)) - np.array([[0], [0], [1]])
    history = History(first, calls[0], calls[1] - 1, *columns_of)
    task, count = distinct_tasks(history)
    expected = {}
    for number in range(tasks):
        run = slice(first[number], first[number + 1])
        key = (*columns_of[:, number], *history.expert[run], -9, *history.answer[run])
        expected.setdefault(key, []).append(number)
    assert task.tolist() == [numbers[0] for numbers in expected.values()]
    assert count.tolist() == [len(numbers) for numbers in expected.values()]
    nothing = History(np.zeros(1, np.int64), *(np.zeros(0, np.int64) for _ in range(5)))
    assert distinct_tasks(nothing).task.shape == (0,)
