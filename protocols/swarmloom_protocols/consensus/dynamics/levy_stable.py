"""α-stable variates and the index of a heavy tail."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, generator, positive, whole
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = ["TailIndex", "stable_variates", "tail_index"]

FloatArray = NDArray[np.float64]

# Of the values, taken as the tail unless told otherwise.
TAIL_SHARE = 0.01
FEWEST = 10
# Half of what lies between 0 and the next random number.
LEAST_UNIT = 2.0**-54


def stable_variates(
    stability: float,
    skewness: float,
    shape: int | tuple[int, ...],
    *,
    rng: np.random.Generator,
) -> FloatArray:
    """Draw standard α-stable values, of scale 1 and location 0.

    Parameters
    ----------
    stability : float
        α in (0, 2]: 2 is a Gaussian of variance 2, 1 with no skewness Cauchy's law.
    skewness : float
        β, −1 to 1.
    shape : int or tuple of int
        Of what is returned.
    rng : numpy.random.Generator
        Where randomness comes from.

    Returns
    -------
    ndarray of float64
        With log E exp(ikX) = −|k|^α·(1 − iβ·sign(k)·tan(πα/2)) for α ≠ 1, and
        −|k|·(1 + iβ·sign(k)·(2/π)·log|k|) for α = 1.

    Raises
    ------
    InputError
        A parameter is out of its range.

    Notes
    -----
    Chambers, Mallows & Stuck, "A method for simulating stable random variables", J. Am. Stat.
    Assoc. 71, 1976, in the form of Weron, "On the Chambers-Mallows-Stuck method", Stat. Probab.
    Lett. 28, 1996.
    """
    alpha = positive("stability", stability, 2.0)
    beta = between("skewness", skewness, -1.0, 1.0)
    size = (shape,) if isinstance(shape, int) else shape
    # Pairs: a series that is drawn in parts is the series that is drawn at once.
    unit = np.maximum(generator("rng", rng).random((*size, 2)), LEAST_UNIT)
    angle, wait = math.pi * (unit[..., 0] - 0.5), -np.log(unit[..., 1])
    if alpha == 1.0:
        lean = math.pi / 2 + beta * angle
        ratio = (math.pi / 2) * wait * np.cos(angle) / lean
        return (2 / math.pi) * (lean * np.tan(angle) - beta * np.log(ratio))
    shift = math.atan(beta * math.tan(math.pi * alpha / 2)) / alpha
    scale = (1 + (beta * math.tan(math.pi * alpha / 2)) ** 2) ** (1 / (2 * alpha))
    turned = alpha * (angle + shift)
    head = np.sin(turned) / np.cos(angle) ** (1 / alpha)
    # |…|: with |β| = 1 and α > 1 rounding can take the cosine just below 0.
    tail = (abs(np.cos(angle - turned)) / wait) ** ((1 - alpha) / alpha)
    variates: FloatArray = scale * head * tail
    return variates


@dataclass(frozen=True, slots=True)
class TailIndex:
    """How fast large values become rare: P(|X| > x) falls as x^(−index).

    Attributes
    ----------
    index : float
        α.
    standard_error : float
        index/√count, which leaves out the bias from values that are not tail yet.
    threshold : float
        Where the tail begins.
    count : int
        Values in it.
    """

    index: float
    standard_error: float
    threshold: float
    count: int


def tail_index(values: ArrayLike, count: int | None = None) -> TailIndex:
    """Estimate the index of a tail by maximum likelihood.

    Parameters
    ----------
    values : array-like of float
        Of either sign; sizes count.
    count : int, optional
        How many of the largest to take as the tail, from 10; one in a hundred by default.

    Returns
    -------
    TailIndex

    Raises
    ------
    InputError
        There are too few values, one is not finite, or all of the tail are equal.

    Notes
    -----
    Hill, "A simple general approach to inference about the tail of a distribution", Ann. Stat. 3,
    1975: the likelihood of Pareto's law above a threshold. An α-stable law follows Pareto's only
    far out, the farther the nearer α is to 2: indices above about 1.8 come out too large.
    """
    sizes = abs(real_array("values", values).reshape(-1))
    wanted = max(FEWEST, int(TAIL_SHARE * sizes.size)) if count is None else count
    taken = whole("count", wanted, FEWEST)
    if sizes.size <= taken or not np.isfinite(sizes).all():
        raise InputError(f"values: {sizes.size}; allowed: finite, more than count = {taken}")
    largest = np.partition(sizes, sizes.size - taken - 1)[sizes.size - taken - 1 :]
    threshold = float(largest.min())
    if threshold == 0.0 or largest.max() == threshold:
        raise InputError("values: the largest are all equal or the rest 0; they have no tail")
    index = taken / float(np.log(largest / threshold).sum())
    return TailIndex(index, index / math.sqrt(taken), threshold, taken)
