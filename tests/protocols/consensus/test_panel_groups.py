"""Experts that share a model, and what the panel warns of."""

from __future__ import annotations

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.panel import Panel, PanelSettings
from swarmloom_protocols.consensus.panel.pool import speakers
from tests.protocols.consensus.panel_worlds import lettered, simulate


def panel_of(n_experts, groups=None, **changes):
    settings = PanelSettings(target_cost=3.0, **changes)
    return Panel(np.ones(n_experts), 1, settings, rng=np.random.default_rng(0), groups=groups)


def test_a_group_has_one_voice_while_another_is_unheard():
    panel = panel_of(4, groups=[7, 7, 7, 1], survey_rounds=0)
    values = panel.values(0, 5, [0], [0]).ask
    assert np.isfinite(values).tolist() == [False, False, False, True]
    values = panel.values(0, 5, [0, 3], [0, 0]).ask
    assert np.isfinite(values).tolist() == [False, True, True, False]


def test_the_cheapest_speaks_for_a_group_until_another_is_known_to_be_better():
    groups, prices = np.array([5, 5, 2, 2]), np.array([2.0, 1.0, 1.0, 1.0])
    accuracy, few, many = np.array([0.9, 0.5, 0.4, 0.6]), np.full(4, 19), np.full(4, 20)
    assert np.flatnonzero(speakers(groups, accuracy, few, prices)).tolist() == [1, 2]
    assert np.flatnonzero(speakers(groups, accuracy, many, prices)).tolist() == [0, 3]


def accuracy_of_a_crew(clones, groups, seed):
    """Five experts of 0.7 and some copies of a bad one that is right in 0.3; nothing graded."""
    rng, hits = np.random.default_rng(seed), []
    panel = panel_of(5 + clones, groups)
    for _ in range(400):
        truth, options = simulate(rng, np.array([0.3] + [0.7] * 5), 5)
        options = np.concatenate([options[1:], np.repeat(options[:1], clones)])
        experts, names, answers = [], {-1: -1}, []
        while (expert := panel.next(0, 5, experts, answers)) >= 0:
            experts.append(expert)
            answers.append(names.setdefault(int(options[expert]), len(names) - 1))
        item = panel.record(0, 5, experts, answers, np.ones(len(experts)))
        hits.append(names.get(truth) == panel.verdict(item)[0])
    return np.mean(hits)


def test_clones_in_a_group_cost_nothing_and_without_groups_they_take_over():
    groups = np.minimum(np.arange(10), 5)
    one, grouped, loose = (
        np.mean([accuracy_of_a_crew(*crew, seed) for seed in range(3)])
        for crew in ((1, None), (5, groups), (5, None))
    )
    assert grouped > one - 0.02
    assert loose < one - 0.1


def calls_of_a_like_crew(groups):
    """Who is asked on each of 500 tasks, the experts all alike, a tenth graded."""
    rng, panel, calls = np.random.default_rng(0), panel_of(5, groups), []
    for _ in range(500):
        truth, options = simulate(rng, np.full(5, 0.6), 5)
        experts, names, answers = [], {-1: -1}, []
        while (expert := panel.next(0, 5, experts, answers)) >= 0:
            experts.append(expert)
            answers.append(names.setdefault(int(options[expert]), len(names) - 1))
        item = panel.record(0, 5, experts, answers, np.ones(len(experts)))
        calls.append(experts)
        if rng.random() < 0.1:
            panel.grade(item, names.setdefault(truth, len(names) - 1))
    return calls


def test_a_crew_of_one_model_is_asked_as_if_it_had_no_groups():
    calls = calls_of_a_like_crew(np.zeros(5, int))
    assert calls == calls_of_a_like_crew(None)
    assert np.mean([len(experts) for experts in calls[300:]]) > 1.5


def test_groups_survive_saving_and_wrong_ones_are_refused():
    panel = panel_of(3, groups=[0, 0, 1])
    other = Panel.from_state(panel.state(), panel.settings)
    assert np.isfinite(other.values(0, 5, [0], [0]).ask).tolist() == [False, False, True]
    with pytest.raises(InputError, match="groups"):
        panel_of(3, groups=[0, 1])


def recorded(panel, rows, grade=False):
    for row in rows:
        answers, names = lettered(row)
        item = panel.record(0, 5, np.arange(len(row)), answers, np.ones(len(row)))
        if grade:
            panel.grade(item, names.get(0, len(names) - 1))
    return " | ".join(panel.warnings())


def test_a_sound_panel_warns_of_nothing():
    rng = np.random.default_rng(0)
    rows = np.where(rng.random((120, 3)) < 0.8, 0, rng.integers(1, 5, (120, 3)))
    assert panel_of(3).warnings() == ()
    assert recorded(panel_of(3), rows, grade=True) == ""


def test_it_warns_without_grades_and_more_where_experts_disagree():
    rng = np.random.default_rng(0)
    agreeing = recorded(panel_of(3), np.where(rng.random((120, 3)) < 0.9, 0, 1))
    assert "graded" in agreeing
    assert "agree on" not in agreeing
    assert "agree on" in recorded(panel_of(3), rng.integers(0, 4, (120, 3)))


def test_it_warns_of_near_clones_and_of_crowded_groups():
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 3, (120, 4))
    rows[:, 1] = rows[:, 0]
    alone = panel_of(4)
    assert "experts 0, 1 gave the same answer to 100%" in recorded(alone, rows, grade=True)
    (copies,) = alone.findings()
    assert (copies.kind, copies.experts) == ("copies", ((0, 1),))
    assert copies.figures == {"agreement": 1.0, "tasks": 120}
    grouped = recorded(panel_of(4, groups=[0, 0, 1, 2]), rows, grade=True)
    assert "experts 0, 1" not in grouped
    assert "2 of 4 experts share one model" in grouped
