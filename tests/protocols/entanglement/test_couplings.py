"""Couplings between choices: which pairs, of what worth, and when there are none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom.errors import InputError
from swarmloom_protocols.entanglement.couplings import couple_groups
from swarmloom_protocols.orchestration.coupled import assignment_value
from tests.naive import entanglement as naive

LIMIT = 10**6


def all_allowed(tasks, experts):
    return np.ones((tasks, experts), dtype=np.bool_)


@st.composite
def rounds(draw):
    tasks, experts, groups = draw(st.tuples(*[st.integers(1, 6)] * 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return (
        rng.random((tasks, experts)) < draw(st.sampled_from([0.0, 0.5, 1.0])),
        rng.integers(-1, groups, size=tasks),
        rng.choice([-0.2, 0.0, 0.3], size=groups).tolist(),
    )


@given(rounds())
@settings(deadline=None)
def test_it_is_what_the_naive_reference_finds(round_):
    found, expected = couple_groups(*round_, LIMIT), naive.couplings(*round_)
    if found is None:
        assert not expected.any()
        return
    assert found.shape == expected.shape
    assert found.nnz == np.count_nonzero(expected)
    np.testing.assert_allclose(found.toarray(), expected)


@pytest.mark.parametrize("tasks", [2, 3, 40])
def test_a_task_feels_no_more_than_the_value_however_many_partners_it_has(tasks):
    coupling = couple_groups(all_allowed(tasks, 3), np.zeros(tasks, int), [-0.2], LIMIT)
    nothing = np.zeros((tasks, 3))
    together = np.zeros(tasks, dtype=np.int64)
    apart = together.copy()
    apart[0] = 1
    cost = assignment_value(nothing, coupling, apart) - assignment_value(
        nothing, coupling, together
    )
    assert cost == pytest.approx(0.2)


@pytest.mark.parametrize(("tasks", "experts"), [(0, 3), (1, 3), (3, 0)])
def test_nothing_to_couple(tasks, experts):
    allowed = all_allowed(tasks, experts)
    assert couple_groups(allowed, np.zeros(tasks, int), [1.0], LIMIT) is None
    assert couple_groups(allowed, np.full(tasks, -1), [], LIMIT) is None


def test_the_limit_counts_pairs_of_choices():
    arguments = all_allowed(4, 5), np.array([0, 0, 0, 1]), [1.0, 1.0]
    assert couple_groups(*arguments, 15).nnz == 15
    assert couple_groups(*arguments, 14) is None


def test_a_group_without_value_is_refused():
    with pytest.raises(InputError, match="group 2"):
        couple_groups(all_allowed(2, 2), np.array([0, 2]), [1.0], LIMIT)
