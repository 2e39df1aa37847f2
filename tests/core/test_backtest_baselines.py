"""Baselines against plain loops, and what each may know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom.backtest import baseline_scores, bootstrap_interval, draw_stream, read_answers
from swarmloom.backtest.answers import make_table
from swarmloom.backtest.baselines import best_per_topic, expert_scores, learning_cost, ranking
from swarmloom.backtest.costs import match_costs, read_costs
from swarmloom.backtest.voting import cascade, log_odds_weights, vote
from swarmloom.errors import InputError
from tests.naive import baselines as naive


@st.composite
def tables(draw, min_items=0):
    n = draw(st.integers(min_items, 12))
    n_experts = draw(st.integers(1, 6))
    row = st.lists(st.integers(-1, 3), min_size=n_experts, max_size=n_experts)
    codes = np.array(draw(st.lists(row, min_size=n, max_size=n)), dtype=np.int64)
    gold = np.array(draw(st.lists(st.integers(0, 4), min_size=n, max_size=n)), dtype=np.int64)
    codes = codes.reshape(n, n_experts)
    codes.flags.writeable = gold.flags.writeable = False
    return codes, gold


def random_stream(seed=0, n=60, n_experts=7, graded=0.5):
    rng = np.random.default_rng(seed)
    letters = np.array(["", "A", "B", "C", "D"])
    table = make_table(
        [f"q{i}" for i in range(n)],
        rng.choice(letters[1:], n).tolist(),
        {f"e{j}": rng.choice(letters, n).tolist() for j in range(n_experts)},
        topics=rng.choice(["law", "art"], n).tolist(),
        options=[4] * n,
    )
    costs = rng.integers(1, 4, n_experts).astype(np.float64)
    return draw_stream(table, costs, seed=seed, graded=graded)


@settings(max_examples=150, deadline=None)
@given(tables(), st.randoms(use_true_random=False))
def test_votes_agree_with_plain_loops(table, random):
    codes, gold = table
    weights = np.array([[random.choice([-1.0, 0.5, 1.0, 2.0]) for _ in row] for row in codes])
    weights = weights.reshape(codes.shape)
    expected = naive.vote(codes.tolist(), gold.tolist(), weights.tolist())
    np.testing.assert_allclose(vote(codes, gold, weights), expected)
    unweighted = naive.vote(codes.tolist(), gold.tolist(), np.ones(codes.shape).tolist())
    np.testing.assert_allclose(vote(codes, gold, np.ones(codes.shape[1])), unweighted)


@settings(max_examples=100, deadline=None)
@given(tables(), st.integers(1, 3))
def test_cascades_agree_with_plain_loops(table, agreement):
    codes, _ = table
    order = np.arange(codes.shape[1])[::-1].copy()
    answers, asked = cascade(codes, order, agreement)
    expected_answers, expected_asked = naive.cascade(codes.tolist(), order.tolist(), agreement)
    np.testing.assert_array_equal(answers, expected_answers)
    np.testing.assert_array_equal(asked, expected_asked)


@settings(max_examples=50, deadline=None)
@given(tables(min_items=1))
def test_log_odds_weights_agree_with_plain_loops(table):
    codes, gold = table
    right = codes == gold[:, None]
    options = [2, None, 10]
    expected = naive.log_odds_weights(right.tolist(), options)
    np.testing.assert_allclose(log_odds_weights(right, options), expected, atol=1e-12)


@pytest.mark.parametrize("strength", [0.0, 20.0])
@pytest.mark.parametrize("seed", range(5))
def test_best_per_topic_agrees_with_plain_loops(seed, strength):
    stream = random_stream(seed)
    expected = naive.best_per_topic(
        stream.table.right.tolist(),
        stream.graded.tolist(),
        list(stream.table.topics),
        stream.costs.tolist(),
        strength,
    )
    np.testing.assert_array_equal(best_per_topic(stream, stream.graded, strength), expected)


def test_the_cheaper_of_equal_experts_ranks_first():
    right = np.array([[True, True, False], [False, False, True], [True, True, True]])
    assert ranking(right, np.array([3.0, 1.0, 2.0])).tolist() == [1, 2, 0]


def test_a_tie_counts_in_expectation():
    codes = np.array([[0, 1], [0, 1], [2, -1], [-1, -1]])
    np.testing.assert_array_equal(vote(codes, np.array([0, 2, 2, 0]), np.ones(2)), [0.5, 0, 1, 0])


def test_baselines_that_choose_read_no_label_but_the_graded_ones():
    stream = random_stream(3, graded=0.3)
    # The same stream with every label that was not given turned into another one.
    other = (stream.table.gold + 1) % len(stream.table.labels)
    gold = np.where(stream.graded, stream.table.gold, other)
    twisted = replace(stream, table=replace(stream.table, gold=gold))
    informed = {score.name: score for score in baseline_scores(stream)}
    for score in baseline_scores(twisted):
        before = informed[score.name]
        if score.kind == "hindsight":
            continue
        np.testing.assert_array_equal(score.cost, before.cost)
        np.testing.assert_array_equal(score.calls, before.calls)
        np.testing.assert_array_equal(score.right[stream.graded], before.right[stream.graded])


def test_without_grades_no_baseline_chooses_by_them():
    names = {score.name for score in baseline_scores(random_stream(graded=0.0))}
    assert "majority of all" in names
    assert "random expert" in names
    assert not any("graded" in name or "log-odds" in name for name in names)
    assert learning_cost(random_stream(graded=0.0)) == 0.0


def test_every_score_has_one_number_an_item():
    stream = random_stream()
    for score in (*baseline_scores(stream), *expert_scores(stream)):
        for values in (score.right, score.cost, score.calls):
            assert values.shape == (len(stream.table),), score.name
            assert np.isfinite(values).all()
        assert ((score.right >= 0) & (score.right <= 1)).all()


def test_a_single_expert_without_topics_has_baselines():
    table = make_table(["q"], ["A"], {"ada": ["A"]})
    stream = draw_stream(table, np.array([2.0]), seed=0, graded=1.0)
    for score in baseline_scores(stream):
        assert score.right.tolist() == [1.0], score.name
        assert score.cost.tolist() == [2.0], score.name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"graded": -0.1}, "graded is -0.1"),
        ({"graded": float("nan")}, "graded is nan"),
        ({"limit": 0}, "limit is 0"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_a_stream_refuses_what_is_out_of_range(options, message):
    table = make_table(["q"], ["A"], {"ada": ["A"]})
    with pytest.raises(InputError, match=message):
        draw_stream(table, np.ones(1), **{"seed": 0, "graded": 0.1, **options})


def test_a_stream_is_the_same_for_the_same_seed_alone():
    first, again, other = (random_stream(seed).table.items for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert random_stream(1, graded=0.25).graded.sum() == 15


def test_bootstrap_agrees_with_resampling_items():
    rng = np.random.default_rng(0)
    values = rng.choice([0.0, 0.5, 1.0], 200, p=[0.2, 0.1, 0.7])
    low, high = bootstrap_interval(values, rng, resamples=20_000)
    means = rng.choice(values, (20_000, 200)).mean(axis=1)
    np.testing.assert_allclose([low, high], np.quantile(means, [0.025, 0.975]), atol=0.006)


@pytest.mark.parametrize(("values", "expected"), [([1.0], (1.0, 1.0)), ([0.5] * 9, (0.5, 0.5))])
def test_an_interval_without_spread_is_a_point(values, expected):
    assert bootstrap_interval(values, np.random.default_rng(0)) == expected


def test_intervals_at_the_edges():
    rng = np.random.default_rng(0)
    assert np.isnan(bootstrap_interval([], rng)).all()
    with pytest.raises(InputError, match="NaN"):
        bootstrap_interval([1.0, np.nan], rng)
    with pytest.raises(InputError, match="level is 1"):
        bootstrap_interval([1.0], rng, level=1)


def test_known_figures_of_the_panel(shared_data):
    table = read_answers(shared_data / "panel" / "mmlu_pro_letters.csv")
    costs_file = shared_data / "panel" / "costs.toml"
    costs = match_costs(read_costs(costs_file), table.experts, costs_file)
    stream = draw_stream(table, costs, seed=0, graded=0.05)
    scores = {score.name: score for score in baseline_scores(stream)}
    best = scores["best expert (hindsight)"]
    assert best.right.mean() == pytest.approx(0.717, abs=5e-4)
    assert best.cost.mean() == pytest.approx(3.40)
    by_topic = scores["best per topic (hindsight)"]
    assert by_topic.right.mean() == pytest.approx(0.733, abs=1e-3)
