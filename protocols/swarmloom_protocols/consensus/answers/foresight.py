"""What the next answers are worth: optimal stopping over a few answers ahead."""

from __future__ import annotations

import math

from swarmloom_protocols.consensus._types import FloatArray

__all__ = ["best_gain"]


def best_gain(
    sums: FloatArray,
    squares: float,
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
    squares : float
        Sum of the squares of those weights.
    weights, prices : ndarray of float64, shape (agents,)
        Of the agents in the plan, in order; prices in probability of a right verdict.
    intercept, slope : float
        Of `swarmloom_protocols.consensus.answers.calibration.Calibration`.

    Returns
    -------
    float
        Expected probability of the final verdict less the prices, less the probability now.
    """
    line = (intercept, slope)
    now = max(_probabilities(sums.tolist(), squares, line), default=0.0)
    plan = list(zip(weights.tolist(), prices.tolist(), strict=True))
    return _asking(sums.tolist(), squares, plan, line) - now


def _probabilities(sums: list[float], squares: float, line: tuple[float, float]) -> list[float]:
    """Return the probability of each answer, as `calibration.posteriors` does."""
    total = math.fsum(sums)
    if squares <= 0.0:
        return [1.0 / (len(sums) + 1.0)] * len(sums)
    count = total * total / squares
    shares = [count * weight / total for weight in sums]
    odds = [math.log((s + 0.5) / (max(count - s, 0.0) + 0.5)) for s in shares]
    p = [0.5 * (1.0 + math.tanh(0.5 * (line[0] + line[1] * x))) for x in odds]
    scale = max(1.0, math.fsum(p))
    return [one / scale for one in p]


def _asking(
    sums: list[float], squares: float, plan: list[tuple[float, float]], line: tuple[float, float]
) -> float:
    """Return the value of asking the plan's first agent and going on as well as possible."""
    (weight, price), later = plan[0], plan[1:]
    after = squares + weight * weight
    given = _probabilities(sums, squares, line)
    chances = [*given, max(0.0, 1.0 - math.fsum(given))]
    value = -price
    for answer, chance in enumerate(chances):
        if chance > 0.0:
            raised = [*sums, 0.0] if answer == len(sums) else list(sums)
            raised[answer] += weight
            value += chance * _best(raised, after, later, line)
    return value


def _best(
    sums: list[float], squares: float, plan: list[tuple[float, float]], line: tuple[float, float]
) -> float:
    """Return the value of stopping or of asking on, whichever is more."""
    stop = max(_probabilities(sums, squares, line), default=0.0)
    return max(stop, _asking(sums, squares, plan, line)) if plan else stop
