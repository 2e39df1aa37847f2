"""Power-law lengths as Clauset, Shalizi and Newman (2009) invert them, in float64."""

import numpy as np

from tests.naive import philox32


def inverse(u, exponent, low, high=np.inf):
    """The length that a share u of the law is longer than."""
    tail = exponent - 1.0
    share = (low / high) ** tail
    return low * (share + (1.0 - share) * np.asarray(u, float)) ** (-1.0 / tail)


def distribution(lengths, exponent, low, high=np.inf):
    """The share of the law that is shorter."""
    tail = exponent - 1.0
    return (1.0 - (np.asarray(lengths, float) / low) ** -tail) / (1.0 - (low / high) ** tail)


def levy_lengths(count, exponent, *, min_length=1.0, max_length=None, seed=0):
    key = int(np.random.default_rng(seed).integers(1 << 32))
    words = [word for i in range((count + 1) // 2) for word in philox32.block((i, 0), key)]
    # The kernel's uniform number is a float32, whose rounding is no error of the inverse.
    shares = (np.array(words[:count], np.uint32).astype(np.float32) + np.float32(0.5)) / 2.0**32
    law = inverse(shares, exponent, min_length, max_length or np.inf)
    return np.clip(law, min_length, max_length or 1e38).astype(np.float32)


def log_likelihood(lengths, exponent, low, high=np.inf):
    """Of a truncated law, as its density is written down."""
    tail = exponent - 1.0
    norm = np.log(tail) + tail * np.log(low) - np.log(1.0 - (low / high) ** tail)
    return np.sum(norm - exponent * np.log(lengths))
