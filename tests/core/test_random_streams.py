"""Random numbers by counter: published vectors, any order, any threads, no visible structure."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from swarmloom import device
from swarmloom.device import use_threads
from swarmloom.errors import InputError
from swarmloom.jit import kernel
from swarmloom.random_streams import philox, uniform, uniforms
from tests.naive import philox as naive

WORD = st.integers(0, 2**64 - 1)

# Random123's tests/kat_vectors, philox4x32 with 10 rounds: counter, key, result.
KNOWN_ANSWERS = [
    ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([2**32 - 1] * 4, [2**32 - 1] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]


def join(low, high):
    return np.uint64(low + (high << 32))


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN_ANSWERS)
def test_published_known_answers(counter, key, result):
    words = philox(join(*key), join(*counter[2:]), join(*counter[:2]))
    assert [int(word) for word in words] == result
    assert list(naive.block(counter, key)) == result


@given(WORD, WORD, WORD)
@settings(deadline=None)
def test_uniform_equals_the_naive_reference(seed, stream, counter):
    number = uniform(np.uint64(seed), np.uint64(stream), np.uint64(counter))
    assert number == naive.uniforms(seed, stream, 1, counter)[0]
    assert 0.0 <= number < 1.0


@given(WORD, WORD, st.integers(0, 50), st.integers(0, 2**63))
@settings(deadline=None)
def test_a_stretch_equals_its_numbers_one_by_one(seed, stream, count, first):
    numbers = uniforms(seed, stream, count, first=first)
    assert numbers.dtype == np.float64
    np.testing.assert_array_equal(numbers, naive.uniforms(seed, stream, count, first))


@pytest.mark.parametrize("threads", [2, 7])
def test_numbers_do_not_depend_on_threads(threads, monkeypatch):
    monkeypatch.setattr(device, "BAND_ELEMENTS", 300)
    count = 2_000
    with use_threads(1):
        expected = uniforms(5, 6, count)
    with use_threads(threads):
        np.testing.assert_array_equal(uniforms(5, 6, count), expected)
    np.testing.assert_array_equal(uniforms(5, 6, 10, first=count - 10), expected[-10:])


def test_kernels_draw_the_same_numbers():
    @kernel
    def last_of(seed, count):
        total = 0.0
        for i in range(count):
            total = uniform(seed, 1, i)
        return total

    assert last_of(9, 1000) == uniforms(9, 1, 1000)[-1]


def test_streams_and_seeds_are_uniform_and_independent():
    columns = np.stack([uniforms(seed, stream, 20_000) for seed in (0, 1) for stream in (0, 1)])
    for column in columns:
        assert stats.kstest(column, "uniform").pvalue > 1e-4
    correlations = np.corrcoef(columns)[np.triu_indices(4, 1)]
    assert np.abs(correlations).max() < 4.5 / np.sqrt(20_000)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed: -1"),
        ({"stream": 2**64}, "stream: 18446744073709551616"),
        ({"count": -1}, "count: -1"),
        ({"first": 2**64 - 1}, r"last: 18446744073709551617 is not in \[0, 2\*\*64\)"),
    ],
)
def test_words_out_of_range_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        uniforms(**({"seed": 1, "stream": 1, "count": 2} | arguments))
