"""Decay of trails: exact at any age, the same on any number of threads, never denormal."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from swarmloom import device
from swarmloom.device import use_threads
from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.decay_kernels import decayed
from tests.naive import decay as naive

TINY = np.finfo(np.float32).smallest_normal
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6)
HALF_LIVES = st.none() | st.floats(1e-3, 1e6) | st.sampled_from([5e-324, 1e308, math.inf])
TIMES = st.floats(-1e9, 1e9) | st.sampled_from([-math.inf, math.nan])


@st.composite
def tables(draw):
    """Amounts and times, read-only."""
    shape = draw(SHAPES)
    elements = st.floats(0.0, width=32, max_value=2.0**100) | st.just(math.nan)
    arrays = [
        draw(hnp.arrays(np.float32, shape, elements=elements)),
        draw(hnp.arrays(np.float64, shape, elements=TIMES)),
    ]
    for array in arrays:
        array.flags.writeable = False
    return arrays


@given(tables(), st.floats(-1e9, 1e9), HALF_LIVES)
@settings(deadline=None)
def test_decay_equals_the_naive_reference(table, now, half_life):
    values = decayed(*table, now, half_life)
    expected = naive.decayed(*table, now, half_life)
    assert (values.shape, values.dtype) == (expected.shape, np.float32)
    np.testing.assert_allclose(values, expected, rtol=2e-6, atol=TINY)
    assert not ((values > 0) & (values < TINY)).any()


@pytest.mark.parametrize("ages", range(0, 120, 7))
def test_one_half_life_halves_exactly(ages):
    assert decayed([3.0], [0.0], 2.5 * ages, 2.5)[0] == np.float32(3.0 * 2.0**-ages)


def test_reading_on_the_way_changes_nothing():
    direct = decayed([5.0], [0.0], 7.0, 3.0)
    first = decayed([5.0], [0.0], 2.0, 3.0)
    np.testing.assert_allclose(decayed(first, [2.0], 7.0, 3.0), direct, rtol=1e-6)


def test_no_half_life_keeps_amounts_for_ever_except_those_of_cells_never_visited():
    values = decayed([1.5, 0.0, 2.5], [-1e300, -math.inf, 0.0], 1e300, None)
    np.testing.assert_array_equal(values, np.float32([1.5, 0.0, 2.5]))


def test_an_amount_from_the_future_does_not_grow():
    assert decayed([2.0], [50.0], 10.0, 1.0)[0] == 2.0


def test_what_a_float32_cannot_say_is_zero_and_never_denormal():
    ages = np.linspace(100.0, 2000.0, 5000)
    values = decayed(np.ones(5000, np.float32), -ages, 0.0, 1.0)
    assert not ((values > 0) & (values < TINY)).any()
    assert (values[ages > 127] == 0).all()
    assert (values[ages < 126] > 0).all()


def test_strided_and_widened_inputs_are_read_as_they_are():
    amounts = np.arange(24.0).reshape(4, 6)[:, ::2]
    times = np.zeros((3, 4), order="F").T
    np.testing.assert_array_equal(decayed(amounts, times, 1.0, 1.0), amounts.astype("f4") / 2)
    assert decayed(3, 0, 1, 1).shape == ()
    assert decayed([], [], 1.0, 1.0).shape == (0,)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_do_not_depend_on_threads(threads, monkeypatch):
    rng = np.random.default_rng(3)
    table = rng.random(1000, np.float32), rng.random(1000)
    expected = decayed(*table, 2.0, 0.3)
    monkeypatch.setattr(device, "BAND_ELEMENTS", 64)
    with use_threads(threads):
        np.testing.assert_array_equal(decayed(*table, 2.0, 0.3), expected)


def test_eight_threads_may_call_at_once():
    amounts = np.arange(2000, dtype=np.float32)
    expected = [decayed(amounts, np.zeros(2000), age, 3.0) for age in range(32)]
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda age: decayed(amounts, np.zeros(2000), age, 3.0), range(32))
        for values, wanted in zip(found, expected, strict=True):
            np.testing.assert_array_equal(values, wanted)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0], [0.0, 0.0], 0.0, 1.0), r"amounts: shape \(1,\) differs from \(2,\) of times"),
        (([1.0], [0.0], math.nan, 1.0), "now: nan is not finite"),
        (([1.0], [0.0], math.inf, 1.0), "now: inf is not finite"),
        (([1.0], [0.0], 0.0, 0.0), "half_life: 0.0 is not above 0"),
        (([1.0], [0.0], 0.0, -1.0), "half_life: -1.0 is not above 0"),
        (([1.0], [0.0], 0.0, math.nan), "half_life: nan is not above 0"),
    ],
)
def test_unusable_arguments_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        decayed(*arguments)
