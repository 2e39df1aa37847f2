"""What a panel is given is checked before anything is done with it."""

from __future__ import annotations

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.panel import Panel, PanelSettings


def panel_of(prices=(0.2, 0.3, 0.8, 1.0), **given):
    settings = PanelSettings(target_cost=1.0)
    return Panel(prices, 1, settings, rng=np.random.default_rng(0), **given)


ASKS = [
    (0.5, 4, [], [], "topic"),
    ("a", 4, [], [], "topic"),
    (0, 2.5, [], [], "n_options"),
    (0, "a", [], [], "n_options"),
    (0, 4, [0.9], [0], "experts"),
    (0, 4, ["a"], [0], "experts"),
    (0, 4, [True], [0], "experts"),
    (0, 4, [[0], [1, 2]], [0], "experts"),
    (0, 4, [[0]], [[0]], "experts"),
    (0, 4, np.array([2**64 - 1], np.uint64), [0], "experts"),
    (0, 4, [0], [np.nan], "answers"),
    (0, 4, [0], [0.5], "answers"),
    (0, 4, [0], [10**30], "answers"),
    (0, 4, [0], [10**9], "order of appearance"),
    (0, 4, [0, 1], [7, 7], "order of appearance"),
    (0, 4, [0, 1, 2], [0, 2, 1], "order of appearance"),
    (0, 4, [0, 1, 2], [0, -1, 2], "order of appearance"),
]


@pytest.mark.parametrize("as_array", [False, True])
@pytest.mark.parametrize(("topic", "options", "experts", "answers", "named"), ASKS)
def test_calls_that_are_no_whole_numbers_or_skip_one_are_refused(
    topic, options, experts, answers, named, as_array
):
    panel = panel_of()
    if as_array and np.ndim(answers) == 1:
        answers = np.array(answers)
    for ask in (panel.next, panel.values, panel.posterior):
        with pytest.raises(InputError, match=named):
            ask(topic, options, experts, answers)
    with pytest.raises(InputError, match=named):
        panel.record(topic, options, experts, answers, np.ones(len(experts)))
    assert len(panel) == 0


def test_numbers_in_order_of_appearance_are_taken():
    panel = panel_of()
    for answers in ([0, 1, 2, 3], [-1, 0, 0, 1], [-1, -1, -1, -1]):
        assert panel.posterior(0, 4, np.arange(4, dtype=np.int32), answers).answers.shape == (
            max(answers) + 1,
        )


@pytest.mark.parametrize("truth", [-1, 3, 10**10, 0.5, "a", None, np.nan])
def test_a_truth_that_no_answer_can_have_leaves_the_item_ungraded(truth):
    panel = panel_of()
    item = panel.record(0, 4, [0, 1], [0, 1], [0.2, 0.3])
    with pytest.raises(InputError, match="truth"):
        panel.grade(item, truth)
    assert panel.report().labels.sum() == 0
    panel.grade(item, 2)
    assert panel.report().labels.sum() == 2


@pytest.mark.parametrize("item", [0.0, "a", None, -1, 1])
def test_an_item_is_a_whole_number_of_a_task(item):
    panel = panel_of()
    panel.record(0, 4, [0], [0], [0.2])
    for call in (panel.verdict, panel.audit, lambda one: panel.grade(one, 0)):
        with pytest.raises(InputError, match="item"):
            call(item)


@pytest.mark.parametrize(
    ("expert", "answer", "cost", "named"),
    [
        (4, 0, 1.0, "expert"),
        (-1, 0, 1.0, "expert"),
        (1.5, 0, 1.0, "expert"),
        (1, 3, 1.0, "answer"),
        (1, -2, 1.0, "answer"),
        (1, 0.5, 1.0, "answer"),
        (1, 0, "a", "costs"),
        (1, 0, np.nan, "costs"),
    ],
)
def test_an_answer_bought_later_is_checked(expert, answer, cost, named):
    panel = panel_of()
    item = panel.record(0, 4, [0], [0], [0.2])
    panel.grade(item, 1)
    with pytest.raises(InputError, match=named):
        panel.add_answer(item, expert, answer, cost)
    assert panel.report().calls.tolist() == [1, 0, 0, 0]
    panel.add_answer(item, 1, 2, 1.0)


@pytest.mark.parametrize("experts", [[4], [-1], [0.9], [1, 1], ["a"]])
def test_who_has_answered_a_graded_task_is_checked(experts):
    with pytest.raises(InputError, match="experts"):
        panel_of().next_audit(experts)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"votes": [[0, 0.9, 2.7, 0]]}, "votes"),
        ({"votes": [["a", "b", "c", "d"]]}, "votes"),
        ({"votes": [[0, 1, -3, 0]]}, "votes"),
        ({"topics": [0.5]}, "topics"),
        ({"topics": [1]}, "topics"),
        ({"n_options": [-4]}, "n_options"),
        ({"n_options": [2.5]}, "n_options"),
        ({"truths": [-2]}, "truths"),
        ({"truths": [0.5]}, "truths"),
    ],
)
def test_recorded_answers_are_whole_numbers(given, named):
    panel = panel_of()
    right = {"topics": [0], "n_options": [4], "votes": [[5, 9, 5, -1]], "truths": [7]}
    with pytest.raises(InputError, match=named):
        panel.study(**(right | given))
    assert len(panel) == 0
    panel.study(**right)
    assert len(panel) == 1


@pytest.mark.parametrize("prices", [["a"], None, [[1.0], [1.0, 2.0]], "abc"])
def test_prices_that_are_no_numbers_are_refused(prices):
    with pytest.raises(InputError, match="prices"):
        panel_of(prices)


@pytest.mark.parametrize("groups", [["a", "b", "c", "d"], [0.5, 0, 0, 0], [0, 0, 0, None]])
def test_groups_that_are_no_whole_numbers_are_refused(groups):
    with pytest.raises(InputError, match="groups"):
        panel_of(groups=groups)


@pytest.mark.parametrize("n_topics", [0, 1.5, "a", None])
def test_topics_are_counted_in_whole_numbers(n_topics):
    with pytest.raises(InputError, match="n_topics"):
        Panel([1.0], n_topics, rng=np.random.default_rng(0))


@pytest.mark.parametrize("allowed", [[0, 1, 2, 3], [0.5] * 4, [True]])
def test_who_may_be_asked_is_one_flag_an_expert(allowed):
    with pytest.raises(InputError, match="allowed"):
        panel_of().next(0, 4, [], [], allowed)


@pytest.mark.parametrize(("name", "value"), [("survey_asks", 0), ("survey_share", 1.5)])
def test_a_survey_asks_somebody_and_spends_no_more_than_there_is(name, value):
    with pytest.raises(InputError, match=name):
        PanelSettings(**{name: value})
    assert getattr(PanelSettings(**{name: 1}), name) == 1
