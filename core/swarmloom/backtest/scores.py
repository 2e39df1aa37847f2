"""What a way of answering a stream achieved, item by item and in sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from swarmloom.backtest.intervals import bootstrap_interval

__all__ = ["Kind", "Score", "Summary", "combine", "summarise"]

Kind = Literal["swarm", "expert", "baseline", "hindsight"]


@dataclass(frozen=True, slots=True)
class Score:
    """One way of answering, item by item.

    Attributes
    ----------
    name : str
        As it is shown.
    kind : {"swarm", "expert", "baseline", "hindsight"}
        "hindsight" marks what no one could know beforehand.
    right : ndarray of float64, shape (n,)
        Probability of being right: 0 or 1, in between for lots and ties in expectation.
    cost : ndarray of float64, shape (n,)
        What was paid.
    calls : ndarray of float64, shape (n,)
        Calls made.
    """

    name: str
    kind: Kind
    right: npt.NDArray[np.float64]
    cost: npt.NDArray[np.float64]
    calls: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Summary:
    """One way of answering, in sum; JSON-ready through `dataclasses.asdict`.

    Attributes
    ----------
    name, kind : str
        As in `Score`.
    accuracy, cost, calls : float
        Means over the items (and over the seeds, where there are several).
    low, high : float
        95 % bootstrap interval of the accuracy over items, mean of the seeds' ends.
    accuracy_sd, cost_sd : float
        Sample standard deviations over seeds; 0 for one seed.
    seeds : int
        How many streams it was measured on.
    """

    name: str
    kind: Kind
    accuracy: float
    low: float
    high: float
    cost: float
    calls: float
    accuracy_sd: float = 0.0
    cost_sd: float = 0.0
    seeds: int = 1


def summarise(score: Score, rng: np.random.Generator) -> Summary:
    """Sum one score up.

    Parameters
    ----------
    score : Score
        Of at least one item.
    rng : numpy.random.Generator
        For the bootstrap.
    """
    low, high = bootstrap_interval(score.right, rng)
    return Summary(
        name=score.name,
        kind=score.kind,
        accuracy=float(score.right.mean()),
        low=low,
        high=high,
        cost=float(score.cost.mean()),
        calls=float(score.calls.mean()),
    )


def combine(summaries: Sequence[Summary]) -> Summary:
    """Mean and standard deviation of the same way of answering over several seeds.

    Parameters
    ----------
    summaries : sequence of Summary
        At least one, all with the same name.
    """

    def mean(field: str) -> float:
        return float(np.mean([getattr(summary, field) for summary in summaries]))

    def deviation(field: str) -> float:
        values = [getattr(summary, field) for summary in summaries]
        return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0

    return Summary(
        name=summaries[0].name,
        kind=summaries[0].kind,
        accuracy=mean("accuracy"),
        low=mean("low"),
        high=mean("high"),
        cost=mean("cost"),
        calls=mean("calls"),
        accuracy_sd=deviation("accuracy"),
        cost_sd=deviation("cost"),
        seeds=len(summaries),
    )
