"""Exact assignment against trying everything and against the textbook expansion."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom.errors import InputError
from swarmloom_protocols.orchestration.assignment import solve_linear, solve_priced
from tests.naive.orchestration import (
    best_assignment,
    is_feasible,
    textbook_assignment,
    value_of,
)


@st.composite
def problems(draw, tasks=4, experts=4):
    shape = draw(st.integers(0, tasks)), draw(st.integers(1, experts))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    affinity = rng.integers(-4, 5, shape).astype(np.float32)  # integers make ties
    affinity[rng.random(shape) < draw(st.sampled_from([0.0, 0.3, 0.7]))] = -np.inf
    return affinity, rng.integers(0, 3, shape[1])


def result_of(affinity, capacity, expert):
    assert is_feasible(affinity, capacity, expert)
    return int((expert >= 0).sum()), value_of(affinity, None, expert)


@settings(max_examples=150, deadline=None)
@given(problems())
def test_most_tasks_first_then_the_largest_sum(problem):
    affinity, capacity = problem
    found = result_of(affinity, capacity, solve_linear(affinity, capacity))
    assert found == pytest.approx(best_assignment(affinity, capacity))


@settings(max_examples=80, deadline=None)
@given(problems(tasks=25, experts=12))
def test_agrees_with_the_textbook_expansion(problem):
    affinity, capacity = problem
    found = result_of(affinity, capacity, solve_linear(affinity, capacity))
    assert found == pytest.approx(textbook_assignment(affinity, capacity))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_price_is_the_gain_from_one_more_place(seed):
    rng = np.random.default_rng(seed)
    affinity, capacity = rng.normal(size=(7, 5)), np.array([0, 1, 1, 2, 7])
    solution = solve_priced(affinity, capacity)
    _, value = textbook_assignment(affinity, capacity)
    for expert in range(5):
        more = capacity + (np.arange(5) == expert)
        gain = textbook_assignment(affinity, more)[1] - value
        assert solution.price[expert] == pytest.approx(gain, abs=1e-9)


def test_price_of_a_place_for_a_waiting_task_reaches_the_forfeit():
    solution = solve_priced(np.array([[1.0], [2.0]]), [1])
    assert solution.expert.tolist() == [-1, 0]
    assert solution.price[0] >= solution.forfeit


def test_ties_go_to_the_lowest_index_where_nothing_binds():
    assert solve_linear(np.zeros((3, 4)), [9] * 4).tolist() == [0, 0, 0]


def test_a_forbidden_pair_is_never_chosen():
    affinity = np.array([[5.0, -np.inf], [6.0, -np.inf]])
    assert solve_linear(affinity, [1, 5]).tolist() == [-1, 0]


@pytest.mark.parametrize(
    ("affinity", "capacity", "expected"),
    [
        (np.zeros((0, 3)), [1, 1, 1], []),
        (np.zeros((2, 0)), [], [-1, -1]),
        (np.full((2, 2), -np.inf), [1, 1], [-1, -1]),
        (np.zeros((2, 2)), [0, 0], [-1, -1]),
        (np.zeros((1, 1)), [1], [0]),
        (np.array([[3e38, -3e38], [3e38, 3e38]]), [1, 1], [0, 1]),
    ],
)
def test_edges(affinity, capacity, expected):
    assert solve_linear(affinity, capacity).tolist() == expected


def test_read_only_and_transposed_arrays_are_taken_and_left_alone():
    affinity = np.arange(12, dtype=np.float32).reshape(3, 4).T
    capacity = np.ones(3, np.int64)
    affinity.flags.writeable = capacity.flags.writeable = False
    assert sorted(solve_linear(affinity, capacity).tolist()) == [-1, 0, 1, 2]
    assert capacity.tolist() == [1, 1, 1]


def test_a_capacity_of_millions_is_no_larger_a_problem():
    affinity = np.tile(np.arange(10_000.0), (3, 1))
    capacity = np.full(10_000, 1_000_000)
    capacity[-1] = 1
    assert sorted(solve_linear(affinity, capacity).tolist()) == [9998, 9998, 9999]


@pytest.mark.parametrize(
    ("affinity", "capacity"),
    [
        (np.array([[np.nan]]), [1]),
        (np.array([[np.inf]]), [1]),
        (np.zeros((2, 2)), [1]),
        (np.zeros((2, 2)), [1, -1]),
        (np.zeros((2, 2)), [1.5, 1.0]),
        (np.zeros(2), [1, 1]),
    ],
)
def test_wrong_input_is_refused(affinity, capacity):
    with pytest.raises(InputError):
        solve_linear(affinity, capacity)
