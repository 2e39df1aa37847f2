"""What the panel believes of experts that hardly anybody has asked, and what that saves."""

from __future__ import annotations

import numpy as np
import pytest

from swarmloom_protocols.consensus.panel import Panel, PanelSettings
from swarmloom_protocols.consensus.panel.learning import Learner
from swarmloom_protocols.consensus.panel.likelihood import RIGHT

CAREFUL, HASTY = 0, 1
PRICES = np.array([3.0, 1.0])


def known_and_new(tasks):
    """A panel whose first expert was right on some graded tasks; the second was never asked."""
    panel = Panel(PRICES, 1, rng=np.random.default_rng(0))
    for _ in range(tasks):
        panel.grade(panel.record(0, None, [CAREFUL], [0], [3.0]), 0)
    panel.refit()
    return panel


@pytest.mark.parametrize("n_options", [None, 10, 2])
@pytest.mark.parametrize("tasks", [0, 1, 10, 100, 600])
def test_what_one_expert_showed_is_not_believed_of_another(tasks, n_options):
    panel = known_and_new(tasks)
    lone = panel.posterior(0, n_options, [HASTY], [0])
    assert 0.4 < lone.answers[0] < 0.8
    assert panel.posterior(0, n_options, [CAREFUL], [0]).answers[0] > lone.answers[0]


def test_belief_in_an_expert_grows_with_its_right_answers_up_to_certainty():
    stated = [
        known_and_new(tasks).posterior(0, None, [CAREFUL], [0]).answers[0]
        for tasks in (0, 3, 10, 30, 100, 600)
    ]
    assert stated == sorted(stated)
    assert stated[0] < 0.7
    assert stated[2] < 0.95
    assert stated[-1] > 0.99


def test_an_expert_always_wrong_is_disbelieved_after_few_answers():
    panel = known_and_new(100)
    for _ in range(10):
        panel.grade(panel.record(0, None, [CAREFUL, HASTY], [0, 1], PRICES), 0)
    panel.refit()
    assert panel.posterior(0, None, [HASTY], [0]).answers[0] < 0.4


@pytest.mark.parametrize("spread", [0.3, 1.2, 2.0])
@pytest.mark.parametrize("pseudo_experts", [1.0, 3.0])
def test_first_rates_integrate_over_the_unknown_ability(spread, pseudo_experts):
    settings = PanelSettings(ability_spread=spread, prior_experts=pseudo_experts)
    learner = Learner.of_settings(PRICES, settings)
    rates = learner.start(1)
    draws = np.random.default_rng(0).standard_normal(200_000)
    # An ability spreads around its centre, the centre around the first ability.
    ability = rates.ability[:, None] + spread * np.sqrt(1.0 + 1.0 / pseudo_experts) * draws
    logits = ability[:, None, :] + learner.levels[:, None]
    expected = (1.0 / (1.0 + np.exp(-logits))).mean(axis=-1)
    np.testing.assert_allclose(rates.outcome[..., RIGHT], expected, atol=0.02)


def decided(panel, topic, says):
    """Put one task to the panel: `careful` says 0, `hasty` what is given."""
    experts, answers, names = [], [], {}
    while (expert := panel.next(topic, None, experts, answers)) >= 0:
        experts.append(expert)
        answers.append(names.setdefault(says[expert], len(names)))
    chance = panel.posterior(topic, None, experts, answers).answers
    return names.get(0) == int(np.argmax(chance)), experts, answers, names


def graded(panel, topic, says, experts, answers, names):
    """Record a task, grade it and buy the audits; return what all of it cost."""
    item = panel.record(topic, None, experts, answers, PRICES[experts])
    panel.grade(item, names.setdefault(0, len(names)))
    cost = PRICES[experts].sum()
    while (expert := panel.audit(item)) >= 0:
        answer = names.setdefault(says[expert], len(names))
        panel.add_answer(item, expert, answer, PRICES[expert])
        cost += PRICES[expert]
    return cost


@pytest.mark.parametrize("batch", [1, 16])
@pytest.mark.parametrize("seed", range(4))
def test_a_cheap_expert_mostly_wrong_does_not_ruin_a_stream(batch, seed):
    """`careful` is always right, `hasty` on one topic of three; batches judged before recorded."""
    rng = np.random.default_rng(seed)
    panel = Panel(PRICES, 4, PanelSettings(target_cost=3.0), rng=rng)
    right, cost = 0, 0.0
    for start in range(0, 600, batch):
        judged = []
        for _ in range(start, min(start + batch, 600)):
            topic = int(rng.integers(1, 4))
            says = [0, 0 if topic == 1 else 1]
            hit, *task = decided(panel, topic, says)
            right += hit
            judged.append((topic, says, *task))
        cost += sum(graded(panel, *task) for task in judged)
    assert right >= 0.97 * 600
    assert cost <= 1.12 * 600 * PRICES[CAREFUL]
