"""Logarithm, power and circle of the walkers against the library's, over their whole ranges."""

import numpy as np
import pytest

from swarmloom.jit import kernel
from swarmloom_protocols.stigmergy.walkers import elementary_kernels as elementary
from swarmloom_protocols.stigmergy.walkers.levy import power_law


@kernel
def logarithms(values, whole, rest):
    for i in range(values.size):
        whole[i], rest[i] = elementary.log2_parts(values[i])


@kernel
def inverse_powers(values, power, correction, results):
    for i in range(values.size):
        exponent, fraction = elementary.log2_parts(values[i])
        whole, rest = elementary.inverse_power_parts(exponent, fraction, power, correction)
        results[i] = elementary.power_of_two(whole, rest)


@kernel
def circles(turns, sines, cosines):
    for i in range(turns.size):
        sines[i], cosines[i] = elementary.sine_cosine(turns[i])


def shares():
    """From 2^-33 to 1, with all powers of two and their neighbours."""
    powers = np.float32(2.0) ** -np.arange(34, dtype=np.float32)
    spread = 2.0 ** -np.random.default_rng(3).uniform(0.0, 33.0, 100_000)
    below = np.nextafter(powers, np.float32(0.0))[:-1]
    return np.concatenate([powers, below, spread.astype(np.float32)])


def test_the_logarithm_has_the_digits_of_a_float32():
    values = shares()
    whole, rest = np.empty_like(values), np.empty_like(values)
    logarithms(values, whole, rest)
    np.testing.assert_array_equal(whole, np.rint(whole))
    assert np.abs(rest).max() <= 0.5 + 1e-6
    exact = np.log2(values.astype(float))
    assert np.abs(whole.astype(float) + rest - exact).max() < 1e-7
    assert (whole[0], rest[0]) == (0.0, 0.0)


@pytest.mark.parametrize("exponent", [1.1, 1.5, 2.0, 2.5, 3.0, 4.0])
def test_the_inverse_power_is_exact_to_a_millionth(exponent):
    values, results = shares(), np.empty(shares().size, np.float32)
    inverse_powers(values, *power_law(exponent, 1.0)[4:], results)
    exact = values.astype(float) ** (-1.0 / (exponent - 1.0))
    small = exact < 2.0**125
    assert np.abs(results[small] / exact[small] - 1.0).max() < 1e-6
    assert np.all(results[~small] > 2.0**124)
    assert np.all(np.isfinite(results))


def test_the_circle_is_exact_to_a_float32():
    turns = np.random.default_rng(4).uniform(0.0, 3.0, 100_000).astype(np.float32)
    turns = np.concatenate([turns, np.arange(0.0, 2.0, 0.125, dtype=np.float32)])
    sines, cosines = np.empty_like(turns), np.empty_like(turns)
    circles(turns, sines, cosines)
    angles = 2.0 * np.pi * turns.astype(float)
    assert np.abs(sines - np.sin(angles)).max() < 1.5e-7
    assert np.abs(cosines - np.cos(angles)).max() < 1.5e-7
    assert np.abs(np.hypot(sines, cosines) - 1.0).max() < 1.5e-7


def test_a_survival_is_never_zero_and_ends_at_one():
    plain = getattr(elementary.survival, "py_func", elementary.survival)
    assert plain(np.uint32(0)) == 2.0**elementary.LOG2_TAIL
    assert plain(np.uint32(2**32 - 1)) == 1.0
    assert plain(np.uint32(2**31)) == 0.5
