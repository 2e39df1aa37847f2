"""What the next answers are worth: optimal stopping over a few answers ahead."""

from __future__ import annotations

import math

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
    now = max(_probabilities(sums.tolist(), line), default=0.0)
    plan = list(zip(weights.tolist(), prices.tolist(), strict=True))
    return _asking(sums.tolist(), plan, line) - now


def _probabilities(sums: list[float], line: Line) -> list[float]:
    """Return the probability of each answer, as `calibration.posteriors` does."""
    intercept, slope, half = line
    total = math.fsum(sums)
    if total <= 0.0:
        return [1.0 / (len(sums) + 1.0)] * len(sums)
    odds = [math.log((weight + half) / (max(total - weight, 0.0) + half)) for weight in sums]
    p = [0.5 * (1.0 + math.tanh(0.5 * (intercept + slope * x))) for x in odds]
    scale = max(1.0, math.fsum(p))
    return [one / scale for one in p]


def _asking(sums: list[float], plan: list[tuple[float, float]], line: Line) -> float:
    """Return the value of asking the plan's first agent and going on as well as possible."""
    (weight, price), later = plan[0], plan[1:]
    given = _probabilities(sums, line)
    chances = [*given, max(0.0, 1.0 - math.fsum(given))]
    value = -price
    for answer, chance in enumerate(chances):
        if chance > 0.0:
            raised = [*sums, 0.0] if answer == len(sums) else list(sums)
            raised[answer] += weight
            value += chance * _best(raised, later, line)
    return value


def _best(sums: list[float], plan: list[tuple[float, float]], line: Line) -> float:
    """Return the value of stopping or of asking on, whichever is more."""
    stop = max(_probabilities(sums, line), default=0.0)
    return max(stop, _asking(sums, plan, line)) if plan else stop
