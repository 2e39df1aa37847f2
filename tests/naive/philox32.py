"""Philox-2x32 as the paper's section 3.3 states it, in unbounded integers."""

import numpy as np

WORD = 2**32


def block(counter, key, rounds=10):
    """Two words out of two words of counter (low first) and one of key."""
    low, high = counter
    for _ in range(rounds):
        product = 0xD256D193 * low
        low, high = product // WORD ^ key ^ high, product % WORD
        key = (key + 0x9E3779B9) % WORD
    return low, high


def uniform(seed, stream, counter, word=0):
    return np.float32(block((counter, stream), seed)[word] // 2**8 / 2**24)


def uniforms(seed, stream, count, first=0):
    return np.array([uniform(seed, stream, first + i) for i in range(count)], np.float32)
