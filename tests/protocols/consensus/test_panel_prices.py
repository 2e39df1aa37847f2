"""Prices by what answers really cost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.panel.prices import PriceBook

costs = st.floats(0.0, 1e6, allow_subnormal=False)


@given(st.lists(costs, min_size=3, max_size=3), st.lists(st.tuples(st.integers(0, 2), costs)))
def test_quoted_prices_are_within_a_step_of_the_mean_cost(declared, bills):
    book = PriceBook(declared)
    paid = [[], [], []]
    for expert, cost in bills:
        before = book.quoted
        paid[expert].append(cost)
        changed = book.bill(np.array([expert]), np.array([cost]))
        assert changed == (book.quoted is not before)
    for quoted, price, mine in zip(book.quoted.tolist(), declared, paid, strict=True):
        mean = sum(mine) / len(mine) if mine else price
        assert abs(quoted - mean) <= 0.05 * max(quoted, mean) * (1 + 1e-9)


def test_a_first_answer_replaces_what_was_declared_and_small_changes_wait():
    book = PriceBook([1.0, 0.0])
    assert book.bill(np.array([0, 1]), np.array([20.0, 3.0]))
    assert book.quoted.tolist() == [20.0, 3.0]
    assert not book.bill(np.array([0]), np.array([21.0]))
    assert book.quoted.tolist() == [20.0, 3.0]
    assert book.declared.tolist() == [1.0, 0.0]


def test_what_is_saved_goes_on_where_it_was():
    book = PriceBook([1.0, 2.0])
    book.bill(np.array([0]), np.array([5.0]))
    other = PriceBook(**book.arrays())
    for one in (book, other):
        one.bill(np.array([0, 1]), np.array([9.0, 2.0]))
    assert other.quoted.tolist() == book.quoted.tolist() == [7.0, 2.0]


def test_quoted_prices_cannot_be_written():
    book = PriceBook([1.0])
    with pytest.raises(ValueError, match="read-only"):
        book.quoted[0] = 2.0
    with pytest.raises(InputError, match="prices"):
        PriceBook([-1.0])
