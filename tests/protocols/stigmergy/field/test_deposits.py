"""Deposits: exact sums in any order, from any number of threads, at any size of the grid."""

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.field.boundaries import boundary_codes
from swarmloom_protocols.stigmergy.field.deposits import (
    cells_at,
    checked_amounts,
    deposited,
    quantum,
    whole_quanta,
)
from swarmloom_protocols.stigmergy.field.field import PheromoneField
from tests.naive import deposits as naive

AMOUNTS = st.floats(0, 1e30) | st.floats(0.5, 2.0) | st.sampled_from([0.0, 5e-324, 1e30])


@given(
    st.lists(st.tuples(st.integers(0, 5), st.floats(2**-18, 1.0, width=32)), max_size=30),
    st.randoms(use_true_random=False),
)
@settings(deadline=None)
def test_deposits_equal_rational_arithmetic_in_any_order(batch, random):
    values = np.arange(6, dtype=np.float32)
    values.flags.writeable = False
    expected = naive.deposited(values, [c for c, _ in batch], [a for _, a in batch])
    for _ in range(3):
        cells = np.array([cell for cell, _ in batch], np.int64)
        amounts = np.array([amount for _, amount in batch])
        np.testing.assert_array_equal(deposited(values, cells, amounts, device="cpu"), expected)
        random.shuffle(batch)


@given(st.lists(AMOUNTS, min_size=1, max_size=50))
def test_a_batch_never_overflows_and_rounds_by_half_a_quantum_at_most(amounts):
    given_amounts = np.array(amounts)
    unit = quantum(given_amounts)
    quanta = whole_quanta(given_amounts, unit)
    assert sum(map(int, quanta)) <= 2**62
    for amount, count in zip(amounts, quanta.tolist(), strict=True):
        assert abs(Fraction(amount) - count * Fraction(unit)) <= Fraction(unit) / 2


@given(
    st.lists(
        st.tuples(
            *[st.floats(-3, 8) | st.sampled_from([-0.5, 3.5, 4.5, np.nextafter(3.5, 0)])] * 2
        ),
        min_size=1,
        max_size=5,
    ),
    st.booleans(),
)
def test_positions_belong_to_the_nearest_cell(positions, wraps):
    codes = boundary_codes({"y": "periodic" if wraps else "absorbing"})
    expected = [naive.cell_of(position, (4, 5), (wraps, False)) for position in positions]
    if None in expected:
        with pytest.raises(InputError, match="positions"):
            cells_at(positions, (4, 5), codes)
    else:
        flat = [np.ravel_multi_index(cell, (4, 5)) for cell in expected]
        assert cells_at(positions, (4, 5), codes).tolist() == flat


@pytest.mark.row("S1")
@pytest.mark.parametrize("shape", [(8, 9), (5, 6, 7)])
def test_the_mass_is_the_sum_of_the_deposits(shape):
    rng = np.random.default_rng(5)
    field = PheromoneField(shape, 3, layers=2)
    total = 0
    for channel in range(3):
        for layer in range(2):
            amounts = rng.integers(0, 50, 200)
            positions = rng.uniform(-0.5, np.array(shape) - 0.5, (200, len(shape)))
            field.deposit(positions, amounts, channel=channel, layer=layer)
            total += int(amounts.sum())
    assert field.mass() == total
    assert field.amounts.shape == (3, 2, *shape)


@pytest.mark.row("S1")
def test_no_deposit_of_eight_threads_is_lost_and_no_order_shows():
    rng = np.random.default_rng(6)
    positions = rng.integers(0, 4, (8, 200, 25, 2))
    amounts = rng.lognormal(0.0, 2.0, (8, 200, 25))
    alone = PheromoneField((4, 4), 1)
    alone.deposit(positions, amounts)

    def work(thread):
        for batch in range(200):
            field.deposit(positions[thread, batch], amounts[thread, batch])

    for _ in range(3):
        field = PheromoneField((4, 4), 1)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        np.testing.assert_array_equal(field.amounts, alone.amounts)
    assert field.mass() == pytest.approx(amounts.sum(), rel=1e-7)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.sampled_from([0.0, 1e-28, 3e-15, 1e-8, 1.0, 7e5, 1e12, 1e18])
            | st.floats(2.0**-90, 2.0**59, width=32),
        ),
        max_size=25,
    ),
    st.randoms(use_true_random=False),
)
@settings(deadline=None)
def test_small_amounts_are_not_lost_beside_large_ones_in_any_order(batch, random):
    # A cell for each deposit beside those that are shared: what one alone puts there is kept.
    cells = [cell for cell, _ in batch] + list(range(4, 4 + len(batch)))
    amounts = [amount for _, amount in batch] * 2
    values = np.zeros(4 + len(batch), np.float32)
    expected = deposited(values, cells, amounts, device="cpu")
    np.testing.assert_array_equal(expected[4:], np.float32(amounts[: len(batch)]))
    exact = naive.deposited(values, cells, amounts)
    np.testing.assert_allclose(expected, exact, rtol=1e-6, atol=0.0)
    both = list(zip(cells, amounts, strict=True))
    random.shuffle(both)
    found = deposited(values, [c for c, _ in both], [a for _, a in both], device="cpu")
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0, -np.inf, 1.1e18])
def test_a_bad_amount_is_refused_and_nothing_is_deposited(bad):
    field = PheromoneField((3, 3), 1)
    with pytest.raises(InputError, match="amounts"):
        field.deposit([[0, 0], [1, 1]], [1.0, bad])
    assert field.mass() == 0.0
    with pytest.raises(InputError, match="amounts"):
        checked_amounts([1.0, 2.0], 3)


@pytest.mark.parametrize("bad", [[3.0, 0.0], [-0.6, 0.0], [np.nan, 0.0], [0.0, np.inf], [0, 1e300]])
def test_a_bad_position_is_refused_and_nothing_is_deposited(bad):
    field = PheromoneField((3, 3), 1)
    with pytest.raises(InputError, match="row 1"):
        field.deposit([[0, 0], bad])
    assert field.mass() == 0.0


def test_positions_wrap_round_periodic_axes_alone():
    field = PheromoneField((3, 3), 1, boundaries={"x": "periodic"})
    field.deposit([[0, 2.6], [0, -2.6], [0, 7]])
    assert field.amounts[0, 0].tolist() == [2.0, 1.0, 0.0]
    with pytest.raises(InputError, match="positions"):
        field.deposit([[2.6, 0]])
    with pytest.raises(InputError, match="positions"):
        field.deposit([[0, np.inf]])


def test_a_cell_that_does_not_exist_is_refused():
    for cells in ([4], [-1]):
        with pytest.raises(InputError, match="cells"):
            deposited(np.zeros(4), cells, 1.0)
