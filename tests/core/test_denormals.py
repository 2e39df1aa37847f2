"""Denormal numbers become 0, and nothing else changes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom.denormals import flush_float32
from swarmloom.jit import kernel


@kernel
def evaporate(field, keep, steps):
    for _ in range(steps):
        for i in range(field.size):
            field[i] = flush_float32(field[i] * keep)


@given(st.floats(width=32))
@settings(deadline=None)
def test_only_denormal_float32_are_flushed(value):
    value = np.float32(value)
    denormal = abs(value) < np.finfo(np.float32).smallest_normal
    np.testing.assert_equal(flush_float32(value), 0.0 if denormal else value)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_smallest_normal_stays_and_its_neighbour_goes(sign):
    smallest = np.finfo(np.float32).smallest_normal
    assert flush_float32(smallest * sign) == smallest * sign
    assert flush_float32(np.nextafter(smallest, smallest * 0) * sign) == 0.0


def test_an_evaporating_field_holds_no_denormal_at_any_step():
    field = np.geomspace(1e-38, 1e-30, 64).astype(np.float32)
    smallest = np.finfo(np.float32).smallest_normal
    plain = field.copy()
    seen_in_plain = 0
    for _ in range(2000):
        evaporate(field, np.float32(0.98), 1)
        plain *= np.float32(0.98)
        seen_in_plain += np.count_nonzero((plain > 0) & (plain < smallest))
        assert not ((field > 0) & (field < smallest)).any()
    assert seen_in_plain > 0
    assert not field.any()
