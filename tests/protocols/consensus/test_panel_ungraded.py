"""Nothing graded: the survey goes on, and the panel learns from it alone."""

import numpy as np
import pytest

from swarmloom_protocols.consensus.panel import EMPTY, Panel, PanelSettings
from swarmloom_protocols.consensus.panel.survey import Survey
from tests.protocols.consensus.panel_worlds import lettered

SKILLS = np.array([0.45, 0.45, 0.45, 0.45, 0.6, 0.8, 0.85])
PRICES = np.array([0.2, 0.2, 0.2, 0.2, 1.0, 1.5, 2.0])
ALIKE = 4
"""The first four, the cheap ones, err alike: all fall for the same wrong option."""


def answers_of(rng):
    """Answers to a task of six options, its truth 0; the popular wrong option is 1."""
    right = rng.random(len(SKILLS)) < SKILLS
    wrong = np.where(np.arange(len(SKILLS)) < ALIKE, 1, rng.integers(1, 6, len(SKILLS)))
    return np.where(right, 0, wrong)


def one_task(panel, rng, grade=False):
    said, experts, answers = answers_of(rng), [], []
    while (expert := panel.next(0, 6, experts, answers)) >= 0:
        experts.append(expert)
        answers, names = lettered(said[experts])
    item = panel.record(0, 6, experts, answers, PRICES[experts])
    if grade:
        panel.grade(item, names.get(0, len(names) - 1))
    return len(experts), panel.verdict(item)[0] == names.get(0)


def stream(seed, tasks=600, **changes):
    rng = np.random.default_rng(seed)
    panel = Panel(PRICES, 1, PanelSettings(target_cost=3.0, **changes), rng=rng)
    return panel, np.array([one_task(panel, rng) for _ in range(tasks)])


def test_weak_experts_that_err_alike_do_not_confirm_one_another():
    accuracy = [stream(seed)[1][200:, 1].mean() for seed in range(4)]
    believed = stream(0)[0].report().accuracy
    assert min(accuracy) > 0.7
    assert believed[:ALIKE].max() < believed[-2:].min()


def test_only_tasks_of_the_survey_teach_while_nothing_is_graded():
    panel, _ = stream(1, tasks=300)
    taught = panel._journal["surveyed"] > 0
    assert taught[:4].all()
    assert 0.02 < taught[16:].mean() < 0.6
    other = Panel.from_state(panel.state(), panel.settings)
    narrow = ~taught[other._journal["item"]]
    assert (other._journal["answer"][narrow] != EMPTY).sum() > 50
    other._journal["answer"][narrow] = EMPTY
    panel.refit()
    other.refit()
    np.testing.assert_array_equal(panel.report().accuracy, other.report().accuracy)
    for one in (panel, other):
        one.grade(0, 0)
        one.refit()
    gap = panel.report().accuracy - other.report().accuracy
    assert gap.max() > 0.05


def test_a_task_of_the_survey_teaches_only_if_all_whom_it_wanted_were_asked():
    panel = Panel(PRICES, 1, PanelSettings(target_cost=3.0), rng=np.random.default_rng(0))
    panel.record(0, 6, [0, 1], [0, 0], PRICES[:2])
    panel.record(0, 6, np.arange(7), [0] * 7, PRICES)
    assert panel.state()["journal.surveyed"].tolist() == [0, 1]


@pytest.mark.parametrize(("lead", "order"), [(0.16, [1, 0]), (0.18, [0, 1])])
def test_an_expert_as_dear_as_the_target_has_to_be_better_by_the_charge(lead, order):
    settings = PanelSettings(target_cost=2.0, survey_tasks=4)
    survey = Survey(settings, unit=2.0)
    accuracy, prices = np.array([0.5 + lead, 0.5]), np.array([2.0, 0.0])
    values = survey.values(4, accuracy, np.zeros(2, int), prices, np.ones(2, bool))
    assert np.argsort(-values).tolist() == order


def test_with_the_first_grade_all_tasks_teach_and_the_survey_ends():
    rng = np.random.default_rng(2)
    panel = Panel(PRICES, 1, PanelSettings(target_cost=3.0), rng=rng)
    for _ in range(60):
        one_task(panel, rng)
    one_task(panel, rng, grade=True)
    before = panel._survey.spent
    for _ in range(100):
        one_task(panel, rng)
    assert panel._survey.spent == before


@pytest.mark.parametrize(
    ("graded", "spent", "running"), [(0, 100.0, True), (0, 40.0, False), (1, 100.0, False)]
)
def test_the_survey_goes_on_with_its_share_of_the_money(graded, spent, running):
    survey = Survey(PanelSettings(survey_share=0.2), unit=1.0, spent=10.0)
    assert survey.running(1000, graded, spent) == running
    assert not Survey(PanelSettings(survey_rounds=0), 1.0).running(1000, 0, 100.0)


def test_a_survey_that_goes_on_asks_half_of_the_experts():
    survey = Survey(PanelSettings(), unit=1.0)
    accuracy, calls = np.linspace(0.1, 0.8, 8), np.zeros(8, int)
    values = survey.values(1000, accuracy, calls, np.full(8, 0.1), np.ones(8, bool))
    assert np.flatnonzero(np.isfinite(values)).tolist() == [4, 5, 6, 7]


def test_a_panel_resumed_while_its_survey_goes_on_is_the_same():
    panel, _ = stream(3, tasks=120)
    again = Panel.from_state(panel.state(), panel.settings)
    one, other = np.random.default_rng(9), np.random.default_rng(9)
    assert [one_task(panel, one) for _ in range(80)] == [one_task(again, other) for _ in range(80)]
