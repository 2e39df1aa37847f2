"""The panel as a whole: edges, learning, budget, replay."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.panel import EMPTY, Panel, PanelSettings
from swarmloom_protocols.consensus.panel.budget import Budget
from tests.protocols.consensus.panel_worlds import lettered, simulate

SKILLS = np.array([0.45, 0.6, 0.75, 0.9])
PRICES = np.array([0.2, 0.3, 0.8, 3.0])


def panel_of(prices=PRICES, n_topics=1, seed=0, **changes):
    return Panel(prices, n_topics, PanelSettings(**changes), rng=np.random.default_rng(seed))


def play(panel, rng, tasks, skills=SKILLS, graded=0.1, n_options=5):
    """Stream made-up tasks; return accuracy and the experts asked on each task."""
    hits, asked = 0, []
    for _ in range(tasks):
        truth, options = simulate(rng, skills, n_options)
        experts, names, answers = [], {-1: -1}, []
        while (expert := panel.next(0, n_options, experts, answers)) >= 0:
            experts.append(expert)
            answers.append(names.setdefault(int(options[expert]), len(names) - 1))
        item = panel.record(0, n_options, experts, answers, panel.prices[experts])
        hits += names.get(truth) == panel.verdict(item)[0]
        if rng.random() < graded:
            panel.grade(item, names.setdefault(truth, len(names) - 1))
            while (expert := panel.audit(item)) >= 0:
                answer = names.setdefault(int(options[expert]), len(names) - 1)
                panel.add_answer(item, expert, answer, panel.prices[expert])
        asked.append(experts)
    return hits / tasks, asked


# Edges.


def test_nothing_is_believed_before_an_answer():
    panel = panel_of()
    belief = panel.posterior(0, 4, [], [])
    assert belief.answers.shape == (0,)
    assert belief.other == 1.0
    assert panel.values(0, 4, [], []).stop == 0.0
    assert panel.next(0, 4, [], []) >= 0


def test_one_expert_is_asked_once():
    panel = panel_of(prices=[1.0])
    assert panel.next(0, 4, [], []) == 0
    assert panel.next(0, 4, [0], [0]) == EMPTY
    assert 0.25 < panel.posterior(0, 4, [0], [0]).answers[0] < 1.0


def test_empty_answers_alone_give_no_verdict_and_ask_on():
    panel = panel_of()
    assert panel.next(0, 4, [0, 1], [-1, -1]) in (2, 3)
    item = panel.record(0, 4, [0, 1, 2, 3], [-1] * 4, PRICES)
    assert panel.verdict(item) == (EMPTY, 0.0)
    assert panel.next(0, 4, [0, 1, 2, 3], [-1] * 4) == -1


def test_one_option_is_certain_once_named():
    belief = panel_of().posterior(0, 1, [1], [0])
    assert belief.answers == pytest.approx([1.0])
    assert belief.other == pytest.approx(0.0, abs=1e-9)


def test_free_text_agreement_weighs_more_than_agreement_among_two_options():
    panel = panel_of()
    text = panel.posterior(0, None, [0, 1], [0, 0]).answers[0]
    coin = panel.posterior(0, 2, [0, 1], [0, 0]).answers[0]
    assert text > coin > 0.5


def test_more_answers_than_options_count_as_options():
    belief = panel_of().posterior(0, 2, [0, 1, 2], [0, 1, 2])
    same = panel_of().posterior(0, 3, [0, 1, 2], [0, 1, 2])
    np.testing.assert_array_equal(belief.answers, same.answers)


def test_read_only_arrays_and_lists_give_the_same():
    panel = panel_of()
    experts, answers = np.array([2, 0]), np.array([0, 1])
    allowed = np.array([True, True, False, True])
    for array in (experts, answers, allowed):
        array.flags.writeable = False
    found = panel.values(0, 4, experts, answers, allowed)
    same = panel.values(0, 4, [2, 0], [0, 1], [True, True, False, True])
    assert found.stop == same.stop
    np.testing.assert_array_equal(found.ask, same.ask)
    assert np.isneginf(found.ask[[0, 2]]).all()


def test_only_the_allowed_are_asked_even_outside_the_pool():
    panel = panel_of(prices=np.ones(40), pool_limit=2)
    outside = np.flatnonzero(~panel.report().pool)
    allowed = np.zeros(40, np.bool_)
    allowed[outside[0]] = True
    assert panel.next(0, 4, [], [], allowed) == outside[0]
    assert panel.next(0, 4, [], [], np.zeros(40, np.bool_)) == -1


def test_asking_stops_at_max_asks():
    panel = panel_of(prices=np.zeros(12), max_asks=3, survey_rounds=0)
    assert panel.next(0, 4, [0, 1, 2], [0, 1, 2]) == -1


@pytest.mark.parametrize("prices", [[], [np.nan, 1.0], [-1.0], [np.inf], [[1.0]]])
def test_wrong_prices_are_refused(prices):
    with pytest.raises(InputError, match="prices"):
        panel_of(prices=prices)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: p.values(1, 4, [], []), "topic = 1"),
        (lambda p: p.values(0, 4, [4], [0]), "must be 0 to 3"),
        (lambda p: p.values(0, 4, [1, 1], [0, 0]), "named twice"),
        (lambda p: p.values(0, 4, [1], [-2]), "answers"),
        (lambda p: p.values(0, 4, [1], [0, 1]), "two lists"),
        (lambda p: p.values(0, 4, [], [], [True]), "allowed"),
        (lambda p: p.record(0, 4, [1], [0], [np.nan]), "costs"),
        (lambda p: p.grade(0, 0), "0 tasks"),
    ],
)
def test_wrong_arguments_are_refused_and_change_nothing(call, message):
    panel = panel_of()
    with pytest.raises(InputError, match=message):
        call(panel)
    assert len(panel) == 0


def test_grades_and_audits_are_checked():
    panel = panel_of()
    item = panel.record(0, 4, [0], [0], [0.2])
    with pytest.raises(InputError, match="not graded"):
        panel.audit(item)
    panel.grade(item, 0)
    with pytest.raises(InputError, match="graded already"):
        panel.grade(item, 0)
    with pytest.raises(InputError, match="answered item 0 already"):
        panel.add_answer(item, 0, 0, 0.2)


@pytest.mark.parametrize(
    "changes",
    [
        {"target_cost": 0.0},
        {"target_cost": float("nan")},
        {"depth": 4},
        {"classes": 0},
        {"price_start": 1.0},
    ],
)
def test_wrong_settings_are_refused(changes):
    with pytest.raises(InputError, match=next(iter(changes))):
        PanelSettings(**changes)


# Learning.


def test_known_accuracies_are_recovered():
    panel, rng = panel_of(prices=np.ones(4), n_topics=2), np.random.default_rng(1)
    skills = np.array([SKILLS, SKILLS[::-1]])
    for task in range(1500):
        topic = task % 2
        truth, options = simulate(rng, skills[topic], 5)
        answers, names = lettered(options)
        item = panel.record(topic, 5, np.arange(4), answers, np.ones(4))
        panel.grade(item, names.setdefault(truth, len(names) - 1))
    panel.refit()
    report = panel.report()
    np.testing.assert_allclose(report.topic_accuracy, skills, atol=0.06)
    tasks, stated, right = report.calibration
    assert abs(np.nansum(tasks * (stated - right)) / tasks.sum()) < 0.05
    assert report.labels.tolist() == [1500] * 4


def test_agreement_alone_ranks_experts_without_any_grade():
    panel, rng = panel_of(prices=np.ones(4)), np.random.default_rng(2)
    for _ in range(600):
        _, options = simulate(rng, SKILLS, 5)
        panel.record(0, 5, np.arange(4), lettered(options)[0], np.ones(4))
    assert np.argsort(panel.report().accuracy).tolist() == [0, 1, 2, 3]


def test_two_weak_experts_that_share_a_wrong_answer_count_little():
    """Fed with shared mistakes, agreement of the weak loses against the strong; else it wins."""

    def belief_in_strong(shared):
        panel, rng = panel_of(prices=np.ones(3)), np.random.default_rng(3)
        for _ in range(800):
            truth, options = simulate(rng, np.array([0.5, 0.5, 0.75]), 5)
            if shared and rng.random() < 0.5:
                options[:2] = (truth + 1) % 5
            elif shared:
                options[:2] = truth
            answers, names = lettered(options)
            item = panel.record(0, 5, np.arange(3), answers, np.ones(3))
            panel.grade(item, names.setdefault(truth, len(names) - 1))
        panel.refit()
        return panel.posterior(0, 5, [0, 1, 2], [0, 0, 1]).answers[1]

    assert belief_in_strong(shared=True) > 0.55 > 0.45 > belief_in_strong(shared=False)


def test_the_panel_beats_what_its_budget_buys_alone():
    panel, rng = panel_of(target_cost=1.5), np.random.default_rng(4)
    accuracy, _ = play(panel, rng, 1200)
    assert panel.report().mean_cost < 1.7
    assert accuracy > SKILLS[2] + 0.03


def test_failing_experts_lose_their_place():
    panel, rng = panel_of(prices=np.ones(3)), np.random.default_rng(5)
    for _ in range(200):
        truth, options = simulate(rng, np.array([0.8, 0.8, 0.8]), 4)
        options[0] = -1
        answers, names = lettered(options)
        item = panel.record(0, 4, np.arange(3), answers, np.ones(3))
        panel.grade(item, names.setdefault(truth, len(names) - 1))
    report = panel.report()
    assert report.accuracy[0] < 0.2 < 0.7 < report.accuracy[1:].min()
    assert panel.next(0, 4, [], []) in (1, 2)


# Budget.


@pytest.mark.parametrize("target", [0.6, 1.5])
def test_mean_cost_meets_the_target(target):
    panel, rng = panel_of(target_cost=target, price_step=0.01), np.random.default_rng(6)
    play(panel, rng, 1000, graded=0.05)
    early = panel.report().mean_cost * 1000
    play(panel, rng, 1500, graded=0.05)
    report = panel.report()
    assert (report.mean_cost * 2500 - early) / 1500 == pytest.approx(target, rel=0.05)
    assert 0 < report.audit_cost < 0.3 * report.mean_cost


def test_price_follows_the_spending_and_keeps_its_bounds():
    settings = PanelSettings(target_cost=1.0)
    dear, cheap = Budget.fresh(settings), Budget.fresh(settings)
    for _ in range(3000):
        dear.pay_task(5.0)
        cheap.pay_task(0.0)
    assert dear.price == settings.price_ceiling
    assert cheap.price == settings.price_floor


@pytest.mark.parametrize("unit", [2.0**-10, 2.0**10])
def test_decisions_do_not_depend_on_the_unit_of_the_prices(unit):
    """In dollars, cents or tokens: the same experts are asked for the same share of the target."""
    plain, scaled = panel_of(target_cost=1.5), panel_of(PRICES * unit, target_cost=1.5 * unit)
    runs = [play(panel, np.random.default_rng(13), 200) for panel in (plain, scaled)]
    assert runs[0] == runs[1]
    assert scaled.report().mean_cost / unit == pytest.approx(plain.report().mean_cost)
    assert scaled.report().price_of_money * unit == pytest.approx(plain.report().price_of_money)


@pytest.mark.parametrize("target", [0.01, 50.0])
def test_bounds_of_the_price_of_money_are_per_target(target):
    settings = PanelSettings(target_cost=target)
    dear, cheap = Budget.fresh(settings), Budget.fresh(settings)
    for _ in range(3000):
        dear.pay_task(5.0 * target)
        cheap.pay_task(0.0)
    assert dear.price == pytest.approx(settings.price_ceiling / target)
    assert cheap.price == pytest.approx(settings.price_floor / target)


def test_without_a_target_the_price_stays():
    panel = panel_of(target_cost=None)
    play(panel, np.random.default_rng(7), 100)
    assert panel.report().price_of_money == panel.settings.price_start


def test_audits_keep_within_their_allowance():
    settings = {"audit_share": 0.1, "audit_root": 0.0, "audit_unspent": 0.0}
    panel, rng = panel_of(**settings), np.random.default_rng(8)
    play(panel, rng, 300, graded=0.5)
    report = panel.report()
    assert 0 < report.audit_cost <= 0.1 * report.mean_cost + 1e-12


# Replay.


def test_the_same_seed_gives_the_same_run():
    first, second = (play(panel_of(), np.random.default_rng(9), 150) for _ in range(2))
    assert first == second


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 60), st.integers(0, 10_000))
def test_a_restored_panel_goes_on_as_if_nothing_had_happened(before, seed):
    panel = panel_of(seed=seed)
    play(panel, np.random.default_rng(seed), before)
    restored = Panel.from_state(panel.state(), panel.settings)
    runs = [play(p, np.random.default_rng(seed + 1), 60) for p in (panel, restored)]
    assert runs[0] == runs[1]
    ends = [p.state() for p in (panel, restored)]
    for name in ends[0]:
        np.testing.assert_array_equal(ends[0][name], ends[1][name], err_msg=name)


def test_learning_is_replayed_from_the_events_alone():
    """Asking for values in between leaves no trace: what was paid for decides."""
    asked, silent = panel_of(), panel_of()
    rng = np.random.default_rng(10)
    for _ in range(120):
        truth, options = simulate(rng, SKILLS, 5)
        answers, names = lettered(options)
        asked.next(0, 5, [], [])
        asked.values(0, 5, [0], [0])
        for panel in (asked, silent):
            item = panel.record(0, 5, np.arange(4), answers, PRICES)
            panel.grade(item, names.setdefault(truth, len(names) - 1))
    np.testing.assert_array_equal(
        asked.values(0, 5, [1], [0]).ask, silent.values(0, 5, [1], [0]).ask
    )
