"""Experts that turn bad: the watch's statistic, and what the panel makes of it."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom_protocols.consensus.panel import EMPTY, Panel, PanelSettings
from swarmloom_protocols.consensus.panel.budget import Budget
from swarmloom_protocols.consensus.panel.changes import ChangeWatch, trusted_evidence
from swarmloom_protocols.consensus.panel.learning import History, Rates
from tests.naive import panel as naive
from tests.protocols.consensus.panel_worlds import columns, simulate, small_worlds

PRICES = np.array([0.4, 0.5, 0.8, 1.0, 1.5])
SKILLS = np.array([0.6, 0.65, 0.7, 0.75, 0.9])
LEADER = 4


def watch_of(prior, rates, fall=2.0, limit=1e9):
    watch = ChangeWatch(len(rates), fall, limit)
    watch.take_up(Rates(rates, rates[None], prior[None], np.zeros(len(rates))))
    return watch


def one_task(calls, n_options, truth):
    experts, answers = columns(calls)
    single = (np.array([value]) for value in (0, n_options, truth))
    return History(np.array([0, len(calls)]), experts, answers, *single)


@settings(max_examples=80, deadline=None)
@given(small_worlds(), st.integers(-1, 4), st.floats(0.1, 3.0))
def test_evidence_is_the_ratio_of_the_direct_sums(world, truth, fall):
    prior, rates, calls, n_options = world
    truth = min(truth, n_options - 1)
    if n_options < 2:
        n_options = 2
    found = watch_of(prior, rates, fall).evidence(one_task(calls, n_options, truth))
    for (expert, _), evidence in zip(calls, found, strict=True):
        ratio = naive.fall_ratio(prior, rates, calls, n_options, truth, expert, fall)
        assert evidence == pytest.approx(np.clip(math.log(ratio), -2.0, 2.0), abs=1e-6)


@given(small_worlds(max_experts=1))
def test_an_expert_that_never_fails_does_not_vouch_for_itself(world):
    prior, rates, _, _ = world
    rates[..., 1] = 0.0
    rates = np.maximum(rates / rates.sum(axis=-1, keepdims=True), 1e-12)
    alone = watch_of(prior, rates).evidence(one_task([(0, 0)], 5, EMPTY))
    assert alone[0] == pytest.approx(0.0, abs=1e-6)


def test_the_sum_forgets_what_was_good_and_dates_the_change():
    watch = ChangeWatch(2, 2.0, 3.0)
    both = np.array([0, 1])
    assert watch.add(0, both, np.array([1.0, -5.0])) == -1
    assert watch.add(1, both, np.array([-2.0, -5.0])) == -1
    assert watch.add(2, both, np.array([2.0, 1.0])) == -1
    assert watch.add(3, both, np.array([1.5, 1.0])) == 0
    assert watch.since.tolist() == [2, 0]
    assert watch.found == [(3, 0)]
    assert watch.add(4, both, np.array([2.0, 1.5])) == -1


@given(
    st.integers(0, 40),
    st.integers(0, 40),
    st.integers(0, 200),
    st.floats(0.0, 1.0),
    st.floats(-2.0, 2.0),
)
def test_evidence_is_trusted_by_answers_in_all_and_on_the_topic(
    graded, others, topical, weight, evidence
):
    known, seen = np.array([5, graded]), np.array([5, graded + others])
    on_topic, alone = np.array([0, topical]), np.array([1])
    found = trusted_evidence(np.array([evidence]), alone, known, seen, on_topic, weight, 20.0, 60.0)
    watched = graded + weight * others >= 20.0
    expected = topical / (topical + 60.0) * evidence if watched else 0.0
    assert found == pytest.approx([expected])


def test_what_an_expert_was_before_it_turned_bad_is_kept():
    panel, rng = panel_of(0), np.random.default_rng(0)
    stream(panel, rng, 800, SKILLS)
    assert panel.state()["former.experts"].tolist() == []
    stream(panel, rng, 300, BROKEN)
    state = panel.state()
    assert state["former.experts"].tolist() == [LEADER]
    before, now = state["former.outcome"][0], state["rates.outcome"][LEADER]
    assert before[:, 0].mean() > now[:, 0].mean() + 0.2


def test_a_late_grade_says_nothing_of_an_expert_that_has_changed_since():
    watch, expert = ChangeWatch(2, 2.0, 3.0), np.array([0])
    for item in (500, 501):
        watch.add(item, expert, np.array([2.0]))
    assert watch.since.tolist() == [500, 0]
    for item, changed in ((100, -1), (620, -1), (499, -1), (621, 0)):
        assert watch.add(item, expert, np.array([2.0])) == changed
    assert watch.since.tolist() == [620, 0]


def stream(panel, rng, tasks, skills, graded=0.1, n_options=5):
    hits = np.zeros(tasks)
    for step in range(tasks):
        truth, options = simulate(rng, skills, n_options)
        experts, names, answers = [], {-1: -1}, []
        while (expert := panel.next(0, n_options, experts, answers)) >= 0:
            experts.append(expert)
            answers.append(names.setdefault(int(options[expert]), len(names) - 1))
        item = panel.record(0, n_options, experts, answers, panel.prices[experts])
        hits[step] = names.get(truth) == panel.verdict(item)[0]
        if rng.random() < graded:
            panel.grade(item, names.setdefault(truth, len(names) - 1))
            while (expert := panel.audit(item)) >= 0:
                answer = names.setdefault(int(options[expert]), len(names) - 1)
                panel.add_answer(item, expert, answer, panel.prices[expert])
    return hits


def panel_of(seed, **changes):
    settings = PanelSettings(target_cost=2.5, **changes)
    return Panel(PRICES, 1, settings, rng=np.random.default_rng(seed))


BROKEN = np.where(np.arange(5) == LEADER, 0.2, SKILLS)


@pytest.mark.parametrize("seed", range(3))
def test_a_leader_turned_bad_is_found_and_nobody_else(seed):
    panel, rng = panel_of(seed), np.random.default_rng(seed)
    stream(panel, rng, 800, SKILLS)
    assert panel.changes() == ()
    stream(panel, rng, 300, BROKEN)
    (found,) = panel.changes()
    assert found[1] == LEADER
    assert 800 <= found[0] < 1000


def test_finding_it_wins_back_what_it_cost():
    def after(limit):
        hits = []
        for seed in range(4):
            panel, rng = panel_of(seed, change_limit=limit), np.random.default_rng(seed)
            stream(panel, rng, 800, SKILLS)
            hits.append(stream(panel, rng, 400, BROKEN)[100:].mean())
        return np.mean(hits)

    assert after(12.0) > after(1e9) + 0.02


@pytest.mark.parametrize("studied", [0, 30])
def test_a_panel_resumed_after_a_change_goes_on_as_it_would_have(studied):
    panel, rng = panel_of(0), np.random.default_rng(0)
    panel.study(np.zeros(studied, int), np.full(studied, 5), rng.integers(0, 5, (studied, 5)))
    stream(panel, rng, 500, SKILLS)
    stream(panel, rng, 200, BROKEN)
    assert panel.changes()
    other = Panel.from_state(panel.state(), panel.settings)
    for one in (panel, other):
        stream(one, np.random.default_rng(9), 150, BROKEN)
    ends = panel.state(), other.state()
    assert ends[0].keys() == ends[1].keys()
    for name in ends[0]:
        np.testing.assert_array_equal(ends[0][name], ends[1][name], err_msg=name)


def test_an_expert_turned_bad_is_asked_in_audits_alone_until_it_is_graded():
    panel, rng = panel_of(0, probation_grades=10_000), np.random.default_rng(0)
    stream(panel, rng, 800, SKILLS)
    stream(panel, rng, 200, BROKEN)
    assert not panel.report().pool[LEADER]
    assert panel.report().labels[LEADER] > 0


def test_a_cheap_leader_that_answers_at_random_is_asked_in_audits_alone_from_then_on():
    prices, skills = np.array([0.1, 0.2, 0.3, 1.5]), np.array([0.7, 0.65, 0.6, 0.8])
    settings = PanelSettings(target_cost=1.0, probation_grades=5)
    for seed in range(2):
        rng = np.random.default_rng(seed)
        panel = Panel(prices, 1, settings, rng=rng)
        stream(panel, rng, 800, skills, n_options=8)
        skills_after = np.where(np.arange(4) == 0, 1 / 8, skills)
        stream(panel, rng, 300, skills_after, n_options=8)
        assert panel.changes()[0][1] == 0
        before = panel.report()
        assert before.labels[0] > settings.probation_grades
        stream(panel, rng, 300, skills_after, graded=0.0, n_options=8)
        assert panel.report().calls.tolist()[0] == before.calls[0]
        assert not panel.report().pool[0]


def test_after_a_change_the_price_of_money_is_searched_in_steps_that_get_smaller():
    settings = PanelSettings(target_cost=1.0, price_ceiling=1e9)
    budget = Budget.fresh(settings)

    def step():
        before = budget.price
        budget.pay_audit(1.0)
        return math.log(budget.price / before)

    assert step() == pytest.approx(settings.price_step)
    budget.unsettle()
    steps = []
    for _ in range(400):
        steps.append(step())
        budget.pay_task(1.0)
    assert steps[0] == pytest.approx(12.5 * settings.price_step)
    assert steps[100] == pytest.approx(250 / 120 * settings.price_step)
    assert all(later <= sooner for sooner, later in itertools.pairwise(steps[:230]))
    assert steps[231:] == pytest.approx([settings.price_step] * 169)


def test_a_debt_made_after_a_change_stays_small():
    def debt(unsettled):
        budget = Budget.fresh(PanelSettings(target_cost=1.0))
        budget.price = 0.01
        if unsettled:
            budget.unsettle()
        # Spending that falls with the price of money, and meets the target at 0.03.
        for _ in range(300):
            budget.pay_task((0.03 / budget.price) ** 0.5)
        return budget.spent - budget.tasks

    assert 0.0 < debt(True) < 0.5 * debt(False)
