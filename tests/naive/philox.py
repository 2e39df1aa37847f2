"""Philox-4x32-10 as the paper's figure 2 and section 3.3 state it, in unbounded integers."""

import numpy as np

WORD = 2**32


def block(counter, key):
    """Four words out of four words of counter and two of key."""
    (a, b, c, d), (left, right) = counter, key
    for _ in range(10):
        first, second = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = (
            second // WORD ^ b ^ left,
            second % WORD,
            first // WORD ^ d ^ right,
            first % WORD,
        )
        left, right = (left + 0x9E3779B9) % WORD, (right + 0xBB67AE85) % WORD
    return a, b, c, d


def uniforms(seed, stream, count, first=0):
    numbers = np.zeros(count)
    for i in range(count):
        position = (first + i) % 2**64
        counter = (position % WORD, position // WORD, stream % WORD, stream // WORD)
        low, high, _, _ = block(counter, (seed % WORD, seed // WORD))
        numbers[i] = ((high * WORD + low) // 2**11) / 2**53
    return numbers
