"""What the next answers are worth: optimal stopping over a few answers ahead."""

from __future__ import annotations

import math

import numpy as np

from swarmloom.jit import kernel
from swarmloom_protocols.consensus._types import FloatArray

__all__ = ["best_gain"]

# Intercept and slope of the calibration, and half a voice.
Line = tuple[float, float, float]


def best_gain(
    sums: FloatArray,
    voice: float,
    weights: FloatArray,
    prices: FloatArray,
    intercept: float,
    slope: float,
) -> float:
    """Return the expected gain of asking the first agent of a plan, then each next if it pays.

    Parameters
    ----------
    sums : ndarray of float64, shape (answers,)
        Weight behind each answer given so far.
    voice : float
        Weight of the crew's most trusted agent.
    weights, prices : ndarray of float64, shape (agents,)
        Of the agents in the plan, in order; prices in probability of a right verdict.
    intercept, slope : float
        Of `swarmloom_protocols.consensus.answers.calibration.Calibration`.

    Returns
    -------
    float
        Expected probability of the final verdict less the prices, less the probability now.
    """
    line = (intercept, slope, 0.5 * voice)
    room = np.concatenate((sums, np.zeros(weights.size)))
    return float(_gain(room, sums.size, weights, prices, line))


@kernel
def _probabilities(sums: FloatArray, line: Line, p: FloatArray) -> float:
    """Write the probability of each answer, as `calibration.posteriors` does; return the most."""
    intercept, slope, half = line
    total, scale, most = sums.sum(), 0.0, 0.0
    for answer in range(sums.size):
        if total > 0.0:
            odds = (sums[answer] + half) / (max(total - sums[answer], 0.0) + half)
            p[answer] = 0.5 * (1.0 + math.tanh(0.5 * (intercept + slope * math.log(odds))))
        else:
            p[answer] = 1.0 / (sums.size + 1.0)
        scale += p[answer]
        most = max(most, p[answer])
    p[: sums.size] /= max(1.0, scale)
    return float(most / max(1.0, scale))


@kernel
def _chances(sums: FloatArray, p: FloatArray) -> None:
    """Turn probabilities into chances of the next answer, a new one last; equal sums are one."""
    n = sums.size
    p[n] = max(0.0, 1.0 - p[:n].sum())
    for answer in range(n):
        for other in range(answer + 1, n):
            if sums[other] == sums[answer]:
                p[answer] += p[other]
                p[other] = 0.0


@kernel
def _gain(
    sums: FloatArray, known: int, weights: FloatArray, prices: FloatArray, line: Line
) -> float:
    """Walk through all answers of the plan's agents, depth first; `sums` has room for new ones."""
    deepest = weights.size - 1
    chances = np.zeros((weights.size + 1, sums.size + 1))
    stop, value, before = np.zeros((3, weights.size + 1))
    size, answer = np.zeros((2, weights.size + 1), np.int64)
    depth, size[0], answer[0], value[0] = 0, known, -1, -prices[0]
    stop[0] = _probabilities(sums[:known], line, chances[0])
    _chances(sums[:known], chances[0])
    while True:
        answer[depth] += 1
        if answer[depth] <= size[depth]:
            given = answer[depth]
            if chances[depth, given] <= 0.0:
                continue
            before[depth] = sums[given]
            sums[given] += weights[depth]
            after = size[depth] + (1 if given == size[depth] else 0)
            best = _probabilities(sums[:after], line, chances[depth + 1])
            if depth < deepest:
                depth += 1
                size[depth], answer[depth], value[depth] = after, -1, -prices[depth]
                stop[depth] = best
                _chances(sums[:after], chances[depth])
                continue
        elif depth == 0:
            return float(value[0] - stop[0])
        else:
            best = max(stop[depth], value[depth])
            depth -= 1
        sums[answer[depth]] = before[depth]
        value[depth] += chances[depth, answer[depth]] * best
