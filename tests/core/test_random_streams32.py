"""Fast random numbers: published vectors, any order, any threads, no visible structure."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from swarmloom import device
from swarmloom.device import use_threads
from swarmloom.errors import InputError
from swarmloom.jit import kernel
from swarmloom.random_streams32 import uniform32, uniform_pair32, uniforms32, words32
from tests.naive import philox32 as naive

WORD = st.integers(0, 2**32 - 1)

# Random123's tests/kat_vectors, philox2x32: rounds, counter, key, result.
KNOWN_ANSWERS = [
    (7, [0, 0], 0, [0x257A3673, 0xCD26BE2A]),
    (7, [2**32 - 1] * 2, 2**32 - 1, [0xAB302C4D, 0x3DC9D239]),
    (7, [0x243F6A88, 0x85A308D3], 0x13198A2E, [0xBEDBBE6B, 0xE4C770B3]),
    (10, [0, 0], 0, [0xFF1DAE59, 0x6CD10DF2]),
    (10, [2**32 - 1] * 2, 2**32 - 1, [0x2C3F628B, 0xAB4FD7AD]),
    (10, [0x243F6A88, 0x85A308D3], 0x13198A2E, [0xDD7CE038, 0xF62A4C12]),
]


def words_of(seed, stream, counter):
    return [int(word) for word in words32(np.uint32(seed), np.uint32(stream), np.uint32(counter))]


def plain(function):
    """The Python source of a kernel, which the simulator runs."""
    return getattr(function, "py_func", function)


@pytest.mark.parametrize(("rounds", "counter", "key", "result"), KNOWN_ANSWERS)
def test_published_known_answers(rounds, counter, key, result):
    assert list(naive.block(counter, key, rounds)) == result
    if rounds == 10:
        assert words_of(key, counter[1], counter[0]) == result


@given(WORD, WORD, WORD)
@settings(deadline=None)
def test_numbers_equal_the_naive_reference(seed, stream, counter):
    assert words_of(seed, stream, counter) == list(naive.block((counter, stream), seed))
    arguments = np.uint32(seed), np.uint32(stream), np.uint32(counter)
    number = uniform32(*arguments)
    pair = uniform_pair32(*arguments)
    assert number == pair[0] == naive.uniform(seed, stream, counter)
    assert pair[1] == naive.uniform(seed, stream, counter, word=1)
    assert 0.0 <= number < 1.0


@given(WORD, WORD, st.integers(0, 50), st.integers(0, 2**32 - 50))
@settings(deadline=None)
def test_a_stretch_equals_its_numbers_one_by_one(seed, stream, count, first):
    numbers = uniforms32(seed, stream, count, first=first)
    assert numbers.dtype == np.float32
    np.testing.assert_array_equal(numbers, naive.uniforms(seed, stream, count, first))


@pytest.mark.parametrize("threads", [2, 7])
def test_numbers_do_not_depend_on_threads(threads, monkeypatch):
    monkeypatch.setattr(device, "BAND_ELEMENTS", 300)
    count = 2_000
    with use_threads(1):
        expected = uniforms32(5, 6, count)
    with use_threads(threads):
        np.testing.assert_array_equal(uniforms32(5, 6, count), expected)
    np.testing.assert_array_equal(uniforms32(5, 6, 10, first=count - 10), expected[-10:])


def test_kernels_draw_the_same_numbers():
    @kernel
    def last_of(seed, count):
        total = np.float32(0.0)
        for i in range(count):
            total = uniform32(seed, 1, i)
        return total

    assert last_of(9, 1000) == uniforms32(9, 1, 1000)[-1]


def test_no_overflow_where_python_runs_the_kernel():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        most = np.uint32(2**32 - 1)
        words = plain(words32)(most, most, most)
        assert all(isinstance(word, np.uint32) for word in words)
        assert [int(word) for word in words] == [0x2C3F628B, 0xAB4FD7AD]
        assert plain(uniform32)(most, most, most).dtype == np.float32


def test_streams_seeds_and_words_are_uniform_and_independent():
    count = 200_000
    columns = np.stack([uniforms32(seed, stream, count) for seed in (0, 1) for stream in (0, 1)])
    for column in columns:
        assert stats.kstest(column, "uniform").pvalue > 1e-4
    correlations = np.corrcoef(columns)[np.triu_indices(4, 1)]
    assert np.abs(correlations).max() < 4.5 / np.sqrt(count)


def test_low_bits_and_neighbouring_streams_are_uniform():
    # One number of each of many streams, as a step of many walkers draws them.
    across = np.array([naive.block((3, walker), 11) for walker in range(40_000)], np.uint64)
    assert stats.chisquare(
        np.bincount((across % 256).astype(int).ravel(), minlength=256)
    ).pvalue > (1e-4)
    first, second = (across >> np.uint64(24)).T.astype(int)
    assert stats.chisquare(np.bincount(first // 16 * 16 + second // 16)).pvalue > 1e-4
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 4.5 / 200.0


def test_one_bit_of_input_changes_half_of_the_output():
    rng = np.random.default_rng(1)
    changed = []
    for seed, stream, counter, bit in rng.integers(
        0, [2**32, 2**32, 2**32, 96], (2_000, 4)
    ).tolist():
        flipped = [seed, stream, counter]
        flipped[bit // 32] ^= 1 << bit % 32
        pairs = zip(words_of(seed, stream, counter), words_of(*flipped), strict=True)
        changed.append(sum((one ^ other).bit_count() for one, other in pairs))
    assert abs(np.mean(changed) - 32.0) < 4.5 * 4.0 / np.sqrt(len(changed))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed: -1"),
        ({"stream": 2**32}, r"stream: 4294967296 is not in \[0, 2\*\*32\)"),
        ({"count": -1}, "count: -1"),
        ({"first": 2**32 - 1}, r"first: 4294967295 \+ 2 numbers"),
    ],
)
def test_words_out_of_range_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        uniforms32(**({"seed": 1, "stream": 1, "count": 2} | arguments))
