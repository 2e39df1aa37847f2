"""Recorded answers beforehand, the survey at the start, and corrected confidence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.panel import ABSENT, EMPTY, Belief, Panel, PanelSettings
from swarmloom_protocols.consensus.panel.confidence import (
    UNCORRECTED,
    Correction,
    fit_correction,
    likeliest,
    restated,
)
from swarmloom_protocols.consensus.panel.learning import History
from swarmloom_protocols.consensus.panel.survey import Survey
from tests.naive import panel as naive
from tests.protocols.consensus.panel_worlds import columns, simulate, small_worlds

PRICES = np.array([1.0, 1.0, 1.0, 1.0])
SKILLS = np.array([0.4, 0.5, 0.9, 0.6])
BEST = 2


def panel_of(**changes):
    return Panel(PRICES, 2, PanelSettings(**changes), rng=np.random.default_rng(0))


def recorded(tasks, seed=0):
    rng = np.random.default_rng(seed)
    pairs = [simulate(rng, SKILLS, 5) for _ in range(tasks)]
    return np.array([answers for _, answers in pairs]), np.array([truth for truth, _ in pairs])


# Study.


def test_what_was_studied_is_known_at_the_first_task_and_costs_nothing():
    votes, truths = recorded(200)
    panel = panel_of()
    panel.study(np.zeros(200, int), np.full(200, 5), votes, truths)
    report = panel.report()
    assert np.abs(report.accuracy - SKILLS).max() < 0.1
    assert report.labels.tolist() == [200] * 4
    assert report.mean_cost == 0.0
    assert not report.calibration.tasks.any()
    assert panel.next(0, 5, [], []) == BEST


def test_unlabelled_records_tell_the_best_expert_too():
    votes, _ = recorded(200)
    panel = panel_of()
    panel.study(np.zeros(200, int), None, votes)
    assert panel.report().labels.tolist() == [0] * 4
    assert int(np.argmax(panel.report().accuracy)) == BEST


def test_absent_and_failed_are_different():
    votes = np.tile([0, 0, EMPTY, ABSENT], (50, 1))
    panel = panel_of()
    panel.study(np.zeros(50, int), None, votes, np.zeros(50, int))
    report = panel.report()
    assert report.calls.tolist() == [50, 50, 50, 0]
    assert report.accuracy[2] < report.accuracy[3]


def test_items_recorded_after_a_study_are_graded_as_usual_and_it_resumes():
    votes, truths = recorded(60)
    panel = panel_of()
    panel.study(np.zeros(60, int), np.full(60, 5), votes, truths)
    item = panel.record(0, 5, [0, 2], [0, 0], [1.0, 1.0])
    panel.grade(item, 0)
    assert panel.verdict(item)[0] == 0
    assert panel.report().calibration.tasks.sum() == 1
    other = Panel.from_state(panel.state(), panel.settings)
    assert other.report().calibration.tasks.sum() == 1
    with pytest.raises(InputError, match="study"):
        other.study(np.zeros(60, int), None, votes)


@pytest.mark.parametrize(
    ("topics", "votes", "truths", "named"),
    [
        (np.zeros(2, int), np.zeros((2, 3), int), None, "votes"),
        (np.zeros(2, int), np.full((2, 4), -3), None, "votes"),
        (np.zeros(3, int), np.zeros((2, 4), int), None, "topics"),
        (np.array([0, 2]), np.zeros((2, 4), int), None, "topics"),
        (np.zeros(2, int), np.zeros((2, 4), int), np.zeros(1, int), "truths"),
    ],
)
def test_records_out_of_range_are_refused(topics, votes, truths, named):
    with pytest.raises(InputError, match=named):
        panel_of().study(topics, None, votes, truths)


# The survey.


def surveyed(panel):
    """Ask what the survey wants on one task, everybody saying the same; record and return it."""
    asked = []
    while (expert := panel.next(0, 5, asked, [0] * len(asked))) >= 0:
        asked.append(expert)
    panel.record(0, 5, asked, [0] * len(asked), panel.prices[asked])
    return asked


def test_a_survey_asks_everybody_and_then_ever_fewer():
    settings = PanelSettings(target_cost=1.0, survey_tasks=2)
    panel = Panel(np.full(16, 0.5), 1, settings, rng=np.random.default_rng(0))
    assert [len(surveyed(panel)) for _ in range(8)] == [16, 16, 8, 8, 4, 4, 3, 3]


@pytest.mark.parametrize("tasks", [0, 4, 8])
def test_a_task_of_a_survey_costs_no_more_than_is_left(tasks):
    rng = np.random.default_rng(tasks)
    for _ in range(50):
        prices, accuracy = rng.exponential(size=12), rng.random(12)
        survey = Survey.at_start(PanelSettings(target_cost=1.0, survey_cost=8.0), prices)
        survey.pay(float(rng.uniform(0.0, 8.0)))
        asked = survey.values(tasks, accuracy, np.zeros(12, int), prices, np.ones(12, bool)) > 0.0
        assert prices[asked].sum() <= (survey.purse - survey.spent) / (4 if tasks == 0 else 1)


def test_where_not_all_may_be_asked_on_one_task_those_heard_least_come_first():
    settings = PanelSettings(target_cost=10.0, survey_asks=3)
    panel = Panel([0.1, 0.2, 0.3, 0.4, 0.5], 1, settings, rng=np.random.default_rng(0))
    assert surveyed(panel) == [0, 1, 2]
    assert surveyed(panel) == [3, 4, 0]


def test_a_panel_resumed_in_its_survey_goes_on_as_it_would_have():
    settings = PanelSettings(target_cost=1.0)
    panel = Panel(np.linspace(0.1, 2.0, 9), 1, settings, rng=np.random.default_rng(0))
    for _ in range(5):
        surveyed(panel)
    again = Panel.from_state(panel.state(), settings)
    assert [surveyed(panel) for _ in range(20)] == [surveyed(again) for _ in range(20)]


def test_a_survey_keeps_to_the_allowed_and_to_its_most_asks():
    settings = PanelSettings(target_cost=10.0, survey_asks=2)
    panel = Panel(np.ones(4), 1, settings, rng=np.random.default_rng(0))
    assert panel.next(0, 5, [], [], [False, True, False, True]) == 1
    assert panel.next(0, 5, [1], [0], [False, True, False, True]) == 3
    assert panel.next(0, 5, [1, 3], [0, 0]) == -1


# Confidence.


def test_the_fit_finds_a_known_correction_and_little_data_hardly_moves_it():
    rng = np.random.default_rng(0)
    logit = rng.normal(1.5, 1.0, 20_000)
    stated = 1.0 / (1.0 + np.exp(-logit))
    right = rng.random(20_000) < 1.0 / (1.0 + np.exp(0.4 - 0.7 * logit))
    found = fit_correction(stated, right)
    assert found.bias == pytest.approx(-0.4, abs=0.1)
    assert found.slope == pytest.approx(0.7, abs=0.05)
    few = fit_correction(stated[:3], right[:3])
    assert abs(few.bias) < 0.4
    assert abs(few.slope - 1.0) < 0.4
    assert fit_correction(np.empty(0), np.empty(0, bool)) == UNCORRECTED


@settings(max_examples=60, deadline=None)
@given(small_worlds())
def test_the_likeliest_answer_is_that_of_the_direct_sums(world):
    prior, rates, calls, n_options = world
    n_options = max(n_options, 2)
    experts, answers = columns(calls)
    row = np.array([[0, 0], [n_options, n_options], [-1, -1]])
    twice = History(
        np.array([0, len(calls), 2 * len(calls)]), np.tile(experts, 2), np.tile(answers, 2), *row
    )
    pairs = np.log(rates[None, ..., 2] + rates[None, ..., 3])
    best, chance = likeliest(twice, prior[None], np.log(rates)[None], pairs)
    expected = naive.posterior(prior, rates, calls, n_options)
    top = max((expected[answer] for _, answer in calls if answer >= 0), default=0.0)
    np.testing.assert_allclose(chance, top, atol=1e-9)
    assert best[0] == best[1]
    assert (expected[best[0]] if best[0] >= 0 else 0.0) == pytest.approx(top)


def test_no_tasks_have_no_likeliest_answer():
    none = np.empty(0, np.int64)
    rates = np.full((1, 1, 1, 4), 0.25)
    best, chance = likeliest(
        History(np.zeros(1, np.int64), *[none] * 5), np.ones((1, 1)), rates, rates[..., 0]
    )
    assert best.shape == chance.shape == (0,)


@settings(max_examples=80)
@given(
    st.lists(st.floats(0.0, 1.0), min_size=1, max_size=6),
    st.floats(-2.0, 2.0),
    st.floats(0.1, 2.0),
)
def test_a_correction_keeps_the_order_and_the_sum(weights, bias, slope):
    chance = np.array(weights) / max(sum(weights), 1.0)
    belief = Belief(chance, 1.0 - float(chance.sum()))
    moved = restated(belief, Correction(bias, slope))
    best = int(np.argmax(chance))
    assert moved.answers[best] == moved.answers.max() <= chance[best] + 1e-12
    assert moved.answers.min() >= 0.0
    assert moved.answers.sum() + moved.other == pytest.approx(1.0)
    assert (np.diff(moved.answers[np.argsort(chance)]) >= -1e-12).all()


def test_grades_bring_stated_confidence_down_to_what_verdicts_are_worth():
    """Two experts that always agree are right half of the time: their agreement is no proof."""
    rng, panel = (
        np.random.default_rng(1),
        Panel(np.ones(2), 1, PanelSettings(first_refit=20), rng=np.random.default_rng(0)),
    )
    stated = []
    for _ in range(400):
        item = panel.record(0, 5, [0, 1], [0, 0], [1.0, 1.0])
        stated.append(panel.verdict(item)[1])
        if rng.random() < 0.3:
            panel.grade(item, int(rng.random() < 0.5))
    assert stated[0] > 0.7
    assert np.mean(stated[200:]) == pytest.approx(0.5, abs=0.1)
