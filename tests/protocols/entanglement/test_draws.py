"""Shared orders: what each source gives, with and without noise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from swarmloom.errors import InputError
from swarmloom_protocols.entanglement.draws import draw_order, elect, preferences
from swarmloom_protocols.entanglement.states import w_election

KINDS = ("shared_seed", "ghz", "w")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("experts", [1, 2, 7, 100])
def test_without_noise_every_source_gives_an_order_of_all(kind, experts):
    order = draw_order(kind, experts, experts, np.random.default_rng(1))
    assert sorted(order.tolist()) == list(range(experts))


@pytest.mark.parametrize("kind", KINDS)
def test_every_expert_leads_equally_often(kind):
    rng = np.random.default_rng(2)
    leaders = [int(np.argmin(draw_order(kind, 6, 1, rng))) for _ in range(6000)]
    assert stats.chisquare(np.bincount(leaders, minlength=6)).pvalue > 1e-4


def test_ten_thousand_experts_hold_as_many_elections_as_asked():
    order = draw_order("w", 10_000, 64, np.random.default_rng(3))
    assert sorted(order[order < 64].tolist()) == list(range(64))
    assert (order[order >= 64] == 64).all()


def test_noise_spoils_elections_as_often_as_computed():
    rng = np.random.default_rng(4)
    good = sum(len(elect("w", 10, rng, visibility=0.9)) == 1 for _ in range(4000))
    assert stats.binomtest(good, 4000, w_election(10, 0.1)).pvalue > 1e-4


def test_ghz_noise_lets_some_turn_by_another_number():
    order = draw_order("ghz", 50, 1, np.random.default_rng(5), visibility=0.9)
    numbers = (order - np.arange(50)) % 50
    assert 1 < len(np.unique(numbers)) < 50
    assert draw_order("shared_seed", 50, 1, np.random.default_rng(5), 0.0).sum() == 49 * 25


@given(st.permutations(range(7)), st.lists(st.integers(0, 2**62), min_size=1, max_size=5))
def test_preferences_by_the_definition(order, index):
    found = preferences(np.array(order), np.array(index))
    for task, own in enumerate(index):
        for expert, rank in enumerate(order):
            assert found[task, expert] == 1.0 / (1 + (rank - own) % 7)


def test_those_outside_the_group_are_not_preferred():
    found = preferences(np.array([1, -1, 0]), np.array([0, 1]))
    assert found.tolist() == [[0.5, 0.0, 1.0], [1.0, 0.0, 0.5]]
    assert not preferences(np.array([-1, -1]), np.array([0])).any()


@pytest.mark.parametrize(("kind", "experts"), [("bell", 2), ("ghz", 0), ("w", -1)])
def test_wrong_input_is_refused(kind, experts):
    with pytest.raises(InputError):
        draw_order(kind, experts, 1, np.random.default_rng(0))
