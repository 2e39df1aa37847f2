"""Pool, audits, journal and calibration of the panel."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom_protocols.consensus.panel import Panel, PanelSettings
from swarmloom_protocols.consensus.panel.history import Journal
from swarmloom_protocols.consensus.panel.pool import choose_pool, explored, undominated, unproved
from swarmloom_protocols.consensus.panel.reports import calibration


@st.composite
def records(draw):
    """Accuracies, graded answers and prices of some experts."""
    count = draw(st.integers(1, 8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return rng.random(count), rng.integers(0, 200, count), rng.choice([0.0, 0.5, 1.0, 3.0], count)


@settings(max_examples=50, deadline=None)
@given(records(), st.floats(0, 0.2), st.sampled_from([1.0, 2.0]))
def test_the_undominated_are_those_that_no_two_beat(record, money, doubt):
    accuracy, labels, prices = record
    defaults = PanelSettings()

    def worth(expert):
        return accuracy[expert] - defaults.prune_price * money * prices[expert]

    def error(expert):
        return doubt * defaults.prune_error / math.sqrt(labels[expert] + 2)

    def beats(winner, loser):
        margin = math.hypot(error(winner), error(loser))
        return prices[winner] <= prices[loser] and worth(winner) - worth(loser) > margin

    experts = range(len(prices))
    expected = [sum(beats(w, e) for w in experts if w != e) < 2 for e in experts]
    found = undominated(accuracy, labels, prices, money, defaults, doubt)
    assert found.tolist() == expected


def test_a_pool_too_large_keeps_the_most_hopeful():
    accuracy = np.linspace(0.5, 0.6, 10)
    pool = choose_pool(accuracy, np.zeros(10, int), np.ones(10), 0.01, PanelSettings(pool_limit=3))
    assert np.flatnonzero(pool).tolist() == [7, 8, 9]


@settings(max_examples=50, deadline=None)
@given(records(), st.data())
def test_who_has_turned_bad_waits_for_grades_and_for_being_worth_it(record, data):
    worth, labels, _ = record
    count = len(worth)
    changes = data.draw(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, count - 1))))
    defaults = PanelSettings()

    def waits(expert):
        items = [item for item, changed in changes if changed == expert]
        hope = worth[expert] + defaults.prune_error / math.sqrt(labels[expert] + 2)
        ungraded = labels[expert] < defaults.probation_grades
        recent = any(2000 - item < defaults.probation_tasks for item in items)
        return bool(items) and (hope < np.median(worth) or (ungraded and recent))

    found = unproved(changes, 2000, labels, worth, defaults)
    assert found.tolist() == [waits(expert) for expert in range(count)]


def test_exploration_fades_with_calls_and_keeps_rates_distributions():
    rng = np.random.default_rng(0)
    topical = rng.dirichlet(np.ones(4), size=(2, 500, 3))
    calls = np.repeat([0, 10_000], 250)
    moved = explored(topical, calls, 0.3, rng)
    np.testing.assert_allclose(moved.sum(axis=-1), 1.0)
    shift = np.log(moved[..., 0] / (1 - moved[..., 0]))
    shift -= np.log(topical[..., 0] / (1 - topical[..., 0]))
    assert shift[:, :250].std() == pytest.approx(0.3, rel=0.2)
    assert shift[:, 250:].std() == pytest.approx(0.003, rel=0.2)


def graded_panel(**changes):
    """A panel whose third expert of three was wrong on four graded tasks, the others right."""
    settings = PanelSettings(first_refit=8, survey_rounds=0, ability_spread=1.2, **changes)
    panel = Panel(np.ones(3), 1, settings, rng=np.random.default_rng(0))
    for _ in range(4):
        item = panel.record(0, 10, [0, 1, 2], [0, 0, 1], np.ones(3))
        panel.grade(item, 0)
    panel.refit()
    return panel


def bought(panel, tasks):
    """How many answers of each expert the panel audits over some tasks without any answer."""
    audits = np.zeros(3, int)
    for _ in range(tasks):
        item = panel.record(0, 10, [], [], [])
        panel.grade(item, 0)
        while (expert := panel.audit(item)) >= 0:
            audits[expert] += 1
            panel.add_answer(item, expert, 0, 1.0)
    return audits


def test_an_expert_dropped_on_bad_luck_is_audited_again_but_later():
    panel = graded_panel(audit_share=0.5)
    assert panel.report().pool.tolist() == [True, True, False]
    audits = bought(panel, 60)
    assert audits[:2].min() > audits[2] > 0


def test_the_hopeless_are_not_audited():
    panel = graded_panel(audit_share=0.5, audit_doubt=1.0)
    audits = bought(panel, 3)
    assert audits[2] == 0 < audits[0]


def test_unrecorded_audits_count_against_the_allowance():
    panel = graded_panel(audit_share=0.1, audit_root=0.0)
    assert panel.next_audit([2]) in (0, 1)
    assert panel.next_audit([2], owed=2.0) == -1


def test_new_topics_start_like_the_unknown_one():
    panel = graded_panel()
    panel.ensure_topics(3)
    known, new = (panel.posterior(topic, 10, [0, 2], [0, 1]) for topic in (0, 2))
    np.testing.assert_array_equal(known.answers, new.answers)
    panel.record(2, 10, [0], [0], [1.0])
    panel.refit()
    assert panel.report().topic_accuracy.shape == (3, 3)


def test_journal_keeps_answers_bought_later_with_their_task():
    journal = Journal()
    two = np.array([4, 2]), np.array([0, 1]), np.array([1.0, 2.0])
    journal.add_task(0, 3, *two, (0, 0.5))
    journal.add_task(1, 3, *two, (0, 0.5))
    journal.add_later(0, 7, 1, 3.0)
    for copy in (journal, Journal(journal.arrays())):
        assert copy.experts_of(0) == [4, 2, 7]
        judged = copy.judged(np.array([1, 0]))
        assert judged.first.tolist() == [0, 2, 4]
        assert judged.expert.tolist() == [4, 2, 4, 2]
        assert judged.topic.tolist() == [1, 0]
        history = copy.history(latest=10, since=np.zeros(8, int))
        assert history.first.tolist() == [0, 3, 5]
        assert history.expert.tolist() == [4, 2, 7, 4, 2]
        latest = copy.history(latest=1, since=np.zeros(8, int))
        assert latest.first.tolist() == [0, 2]
        assert latest.topic.tolist() == [1]
        since, former = np.zeros(8, int), np.full(8, -1)
        since[[2, 4]] = 1
        former[4] = 8
        history = copy.history(10, since, former)
        assert history.first.tolist() == [0, 2, 4]
        assert history.expert.tolist() == [8, 7, 4, 2]


def test_calibration_compares_stated_confidence_with_grades():
    confidence = np.array([0.05, 0.95, 0.97, 1.0, 0.5])
    verdict = np.array([0, 0, 1, 2, 0])
    truth = np.array([1, 0, 1, 0, -1])
    found = calibration(confidence, verdict, truth)
    assert found.tasks.tolist() == [1, *[0] * 8, 3]
    assert found.stated[9] == pytest.approx((0.95 + 0.97 + 1.0) / 3)
    assert found.right[9] == pytest.approx(2 / 3)
    assert np.isnan(found.stated[5])
    assert not calibration(confidence, verdict, np.full(5, -1)).tasks.any()


def test_audits_save_up_for_the_strong_instead_of_buying_the_cheap():
    settings = PanelSettings(audit_share=0.1, audit_root=0.0, survey_rounds=0)
    panel = Panel([1.0, 5.0], 1, settings, rng=np.random.default_rng(0))
    for _ in range(5):
        panel.grade(panel.record(0, 10, [0], [0], [1.0]), 0)
    item = panel.record(0, 10, [], [], [])
    panel.grade(item, 0)
    assert panel.audit(item) == -1
    panel.record(0, 10, [0], [0], [50.0])
    assert panel.audit(item) == 1


def test_unspent_money_goes_into_audits():
    settings = PanelSettings(target_cost=2.0, audit_share=0.0, audit_root=0.0, audit_unspent=0.5)
    panel = Panel([1.0, 1.0], 1, settings, rng=np.random.default_rng(0))
    item = panel.record(0, 10, [0], [0], [1.0])
    panel.grade(item, 0)
    assert panel.audit(item) == -1
    panel.record(0, 10, [0], [0], [1.0])
    assert panel.audit(item) == 1
