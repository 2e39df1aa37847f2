"""Logarithm, power and circle in float32, without calls: loops over them become vector code.

Numba's ``math.log2``, ``math.exp`` and ``math.cos`` are calls that keep a loop scalar, and differ
between processors. Here everything is arithmetic of float32 in a stated order, so that CPU, GPU
and simulator agree. Exponents are taken apart and put together by comparisons and products with
powers of two, which are exact; the rest are the series of atanh, exp, sin and cos, cut where their
next term is below a float32's rounding.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from swarmloom.jit import kernel

__all__ = [
    "LOG2_TAIL",
    "inverse_power_parts",
    "log2_parts",
    "power_of_two",
    "sine_cosine",
    "survival",
]

# Binary logarithm of the smallest value of `survival`.
LOG2_TAIL = -33

ZERO: Any = np.float32(0.0)
HALF: Any = np.float32(0.5)
ONE: Any = np.float32(1.0)
TWO: Any = np.float32(2.0)
FOUR: Any = np.float32(4.0)
QUARTER: Any = np.float32(0.25)
SQRT_2: Any = np.float32(2.0**0.5)
WORD_UNIT: Any = np.float32(2.0**-32)
BIT = np.int32(1)
# float32 ends at 2^128; whoever needs less than this cap clamps the result anyway.
MOST_DOUBLINGS: Any = np.float32(126.0)

_LN2 = float(np.log(2.0))
_TURN = 2.0 * np.pi
# log₂ m = 2/ln 2 · (s + s³/3 + s⁵/5 + …), s = (m − 1)/(m + 1), |s| ≤ 0.1716: the term left out is
# below 2e-9.
LOG_1, LOG_3, LOG_5, LOG_7, LOG_9 = (np.float32(2.0 / _LN2 / k) for k in (1, 3, 5, 7, 9))
# 2^r = Σ (r·ln 2)^k / k!, |r| ≤ ½: the term left out is below 6e-9.
EXP_1, EXP_2, EXP_3, EXP_4 = (
    np.float32(_LN2**k / f) for k, f in ((1, 1.0), (2, 2.0), (3, 6.0), (4, 24.0))
)
EXP_5, EXP_6, EXP_7 = (np.float32(_LN2**k / f) for k, f in ((5, 120.0), (6, 720.0), (7, 5040.0)))
# Sine and cosine of r turns, |r| ≤ ⅛: the terms left out are below 2e-9 and 3e-8.
SIN_1, SIN_3, SIN_5, SIN_7, SIN_9 = (
    np.float32(_TURN**k / f)
    for k, f in ((1, 1.0), (3, -6.0), (5, 120.0), (7, -5040.0), (9, 362880.0))
)
COS_2, COS_4, COS_6, COS_8 = (
    np.float32(_TURN**k / f) for k, f in ((2, -2.0), (4, 24.0), (6, -720.0), (8, 40320.0))
)
# Below 2^-31 times 2^32, then below 2^-15 times 2^16, and so on down to below 1 times 2.
RAISE_5, RAISE_4, RAISE_3, RAISE_2, RAISE_1, RAISE_0 = (
    (np.float32(2.0 ** (1 - step)), np.float32(2.0**step), np.float32(step))
    for step in (32, 16, 8, 4, 2, 1)
)
SQUARE_0, SQUARE_1, SQUARE_2, SQUARE_3 = (np.float32(2.0 ** (1 << k)) for k in range(4))
SQUARE_4, SQUARE_5, SQUARE_6 = (np.float32(2.0 ** (1 << k)) for k in range(4, 7))


@kernel
def survival(word: Any) -> Any:
    """Return (word + ½) / 2³² in (0, 1], with a float32's 24 bits at any size.

    A uniform number of 24 bits would end a tail at 2⁻²⁴; this one ends it at 2⁻³³.

    Parameters
    ----------
    word : uint32
    """
    return (np.float32(word) + HALF) * WORD_UNIT


@kernel
def _raised(value: Any, exponent: Any, step: Any) -> tuple[Any, Any]:
    small = value < step[0]
    return value * (step[1] if small else ONE), exponent - (step[2] if small else ZERO)


@kernel
def log2_parts(value: Any) -> tuple[Any, Any]:
    """Return a whole number and a rest within ±½ whose sum is the binary logarithm.

    Parameters
    ----------
    value : float32
        In [2⁻⁶³, 1], and a rounding above.
    """
    exponent = ZERO
    value, exponent = _raised(value, exponent, RAISE_5)
    value, exponent = _raised(value, exponent, RAISE_4)
    value, exponent = _raised(value, exponent, RAISE_3)
    value, exponent = _raised(value, exponent, RAISE_2)
    value, exponent = _raised(value, exponent, RAISE_1)
    value, exponent = _raised(value, exponent, RAISE_0)
    large = value > SQRT_2
    value = value * (HALF if large else ONE)
    s = (value - ONE) / (value + ONE)
    q = s * s
    return exponent + (ONE if large else ZERO), s * (
        LOG_1 + q * (LOG_3 + q * (LOG_5 + q * (LOG_7 + q * LOG_9)))
    )


@kernel
def _doubled(value: Any, bits: Any, bit: Any, factor: Any) -> Any:
    return value * (factor if bits & (BIT << bit) else ONE)


@kernel
def power_of_two(whole: Any, rest: Any) -> Any:
    """Return 2^(whole + rest).

    Parameters
    ----------
    whole : int32
        In [0, 127].
    rest : float32
        Within ±½.
    """
    r = rest
    value = ONE + r * (
        EXP_1 + r * (EXP_2 + r * (EXP_3 + r * (EXP_4 + r * (EXP_5 + r * (EXP_6 + r * EXP_7)))))
    )
    value = _doubled(value, whole, np.int32(0), SQUARE_0)
    value = _doubled(value, whole, np.int32(1), SQUARE_1)
    value = _doubled(value, whole, np.int32(2), SQUARE_2)
    value = _doubled(value, whole, np.int32(3), SQUARE_3)
    value = _doubled(value, whole, np.int32(4), SQUARE_4)
    value = _doubled(value, whole, np.int32(5), SQUARE_5)
    return _doubled(value, whole, np.int32(6), SQUARE_6)


@kernel
def inverse_power_parts(
    exponent: Any, fraction: Any, power: Any, correction: Any
) -> tuple[Any, Any]:
    """Return log₂ v^-(power + correction), at most 126, as a whole number and a rest within ±½.

    Kept apart from `log2_parts` and `power_of_two`, which belong before and after it: a compiler
    takes each of the three into a caller's loop, but not one function of their size.

    Parameters
    ----------
    exponent, fraction : float32
        What `log2_parts` says of v, in [2⁻⁶³, 1].
    power, correction : float32
        A power > 0 in two parts, the first of at most 17 bits: its product with the whole part of
        the logarithm is exact, so that large results lose no digits.

    Returns
    -------
    (int32, float32)
    """
    main = -exponent * power
    rest = -exponent * correction - fraction * (power + correction)
    too_large = main + rest > MOST_DOUBLINGS
    main = MOST_DOUBLINGS if too_large else main
    rest = ZERO if too_large else rest
    whole = np.int32(main + rest + HALF)
    return whole, (main - np.float32(whole)) + rest


@kernel
def sine_cosine(turns: Any) -> tuple[Any, Any]:
    """Return sine and cosine of an angle, to 1e-7.

    Parameters
    ----------
    turns : float32
        The angle in full turns, ≥ 0, below 2²⁹.
    """
    quarter = np.int32(turns * FOUR + HALF)
    r = turns - np.float32(quarter) * QUARTER
    q = r * r
    sine = r * (SIN_1 + q * (SIN_3 + q * (SIN_5 + q * (SIN_7 + q * SIN_9))))
    cosine = ONE + q * (COS_2 + q * (COS_4 + q * (COS_6 + q * COS_8)))
    odd = quarter & np.int32(1)
    first = cosine if odd else sine
    second = sine if odd else cosine
    # Quarters 2 and 3 turn the sine's sign, 1 and 2 the cosine's.
    sine_sign = -ONE if quarter & np.int32(2) else ONE
    cosine_sign = -ONE if (quarter + BIT) & np.int32(2) else ONE
    return first * sine_sign, second * cosine_sign
