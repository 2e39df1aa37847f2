"""The report's figures, one function each: arrays in, a drawn figure out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from swarmloom.backtest.scores import Summary
from swarmloom.report.data import Asked, Shares
from swarmloom.report.svg import INK, PALETTE

__all__ = [
    "accuracy_against_cost",
    "calibration",
    "calibration_bins",
    "calls_per_task",
    "over_the_stream",
    "shares_over_time",
    "strongest",
    "who_was_asked",
]

FloatArray = npt.NDArray[np.float64]

_MARKERS = {
    "swarm": ("*", PALETTE[4], 220),
    "baseline": ("s", PALETTE[0], 36),
    "hindsight": ("D", PALETTE[3], 36),
    "expert": ("o", PALETTE[6], 28),
}
_POINTS = 400  # A curve is drawn through that many points at most.


def accuracy_against_cost(rows: Sequence[Summary]) -> Figure:
    """Draw accuracy against mean cost, a point for each way of answering.

    Parameters
    ----------
    rows : sequence of Summary
        At least one.
    """
    figure = Figure(figsize=(8.2, 5.0))
    axes = figure.subplots()
    for kind, (marker, colour, size) in _MARKERS.items():
        chosen = [row for row in rows if row.kind == kind]
        if not chosen:
            continue
        cost = [row.cost for row in chosen]
        accuracy = np.array([row.accuracy for row in chosen])
        ends = np.array([[row.low for row in chosen], [row.high for row in chosen]])
        if kind != "expert":
            axes.errorbar(
                cost, accuracy, np.maximum(np.abs(ends - accuracy), 0), fmt="none", ecolor=colour
            )
        axes.scatter(cost, accuracy, s=size, marker=marker, color=colour, label=kind, zorder=3)
    _number_points(axes, rows)
    if min(row.cost for row in rows) > 0:
        axes.set_xscale("log")
    axes.set_xlabel("mean cost per task")
    axes.set_ylabel("accuracy")
    axes.legend(loc="lower right")
    return figure


def over_the_stream(right: FloatArray, cost: FloatArray) -> Figure:
    """Draw running means of accuracy and cost over the tasks.

    Parameters
    ----------
    right : ndarray of float64, shape (n,)
        NaN where the truth is not known.
    cost : ndarray of float64, shape (n,)
    """
    figure = Figure(figsize=(8.2, 4.6))
    upper, lower = figure.subplots(2, 1, sharex=True)
    for axes, values, name, colour in (
        (upper, right, "accuracy", PALETTE[0]),
        (lower, cost, "cost", PALETTE[4]),
    ):
        known = np.flatnonzero(np.isfinite(values))
        numbers, data = known + 1, values[known]
        window = max(1, len(data) // 20)
        # The first few means jump wildly and would set the scale for all others.
        shown = _thinned(min(10, len(data) // 10), len(data))
        axes.plot(
            numbers[shown],
            _trailing_mean(data, window)[shown],
            color=colour,
            alpha=0.4,
            label=f"last {window}",
        )
        axes.plot(
            numbers[shown], _trailing_mean(data, len(data))[shown], color=colour, label="all so far"
        )
        axes.set_ylabel(name)
        axes.legend(loc="best")
    lower.set_xlabel("task")
    return figure


def shares_over_time(shares: Shares) -> Figure:
    """Draw each protocol's share in the decisions, from the first to the last.

    Parameters
    ----------
    shares : Shares
        Of at least one decision.
    """
    figure = Figure(figsize=(8.2, 3.4))
    axes = figure.subplots()
    count = len(shares.values)
    blocks = np.array_split(np.arange(count), min(60, count))
    means = np.array([shares.values[block].mean(axis=0) for block in blocks])
    middles = [float(block.mean()) + 1.0 for block in blocks]
    if len(blocks) == 1:
        middles, means = [0.5, 1.5], np.repeat(means, 2, axis=0)
    axes.stackplot(
        middles,
        means.T,
        labels=shares.protocols,
        colors=[PALETTE[i % len(PALETTE)] for i in range(len(shares.protocols))],
    )
    axes.set_ylim(0, 1)
    axes.set_xlim(middles[0], middles[-1])
    axes.set_xlabel("decision")
    axes.set_ylabel("share")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def who_was_asked(asked: Asked) -> Figure:
    """Draw how the calls of each topic spread over the experts.

    Parameters
    ----------
    asked : Asked
        Of at least one call; use `strongest` before for many topics or experts.
    """
    share = asked.calls / np.maximum(asked.calls.sum(axis=1, keepdims=True), 1)
    n_topics, n_experts = share.shape
    figure = Figure(figsize=(max(5.0, 1.8 + 0.3 * n_experts), max(1.6, 0.8 + 0.26 * n_topics)))
    axes = figure.subplots()
    mesh = axes.pcolormesh(share, cmap="viridis", vmin=0)
    axes.set_xticks(np.arange(n_experts) + 0.5, asked.experts, rotation=60, ha="right")
    axes.set_yticks(np.arange(n_topics) + 0.5, [topic or "(no topic)" for topic in asked.topics])
    axes.invert_yaxis()
    axes.grid(False)
    figure.colorbar(mesh, ax=axes, label="share of the topic's calls")
    return figure


def calibration(confidence: FloatArray, right: FloatArray) -> Figure:
    """Draw how often answers of a stated confidence were right.

    Parameters
    ----------
    confidence, right : ndarray of float64, shape (n,)
        NaN where not known; at least one task has both.
    """
    stated, observed, counts = calibration_bins(confidence, right)
    figure = Figure(figsize=(5.2, 4.4))
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle="--", label="perfect")
    axes.plot(stated, observed, color=PALETTE[0])
    sizes = 20 + 180 * counts / counts.max()
    axes.scatter(stated, observed, s=sizes, color=PALETTE[0], label="size: number of tasks")
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="stated confidence", ylabel="share right")
    axes.legend(loc="upper left")
    return figure


def calibration_bins(
    confidence: FloatArray, right: FloatArray, bins: int = 10
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Sort tasks by stated confidence into bins of equal width.

    Parameters
    ----------
    confidence, right : ndarray of float64, shape (n,)
        Tasks where either is NaN are left out.
    bins : int

    Returns
    -------
    stated, observed, counts : ndarray of float64, shape (b,)
        Mean confidence, share right and number of tasks of each bin that is not empty.
    """
    known = np.isfinite(confidence) & np.isfinite(right)
    stated, observed = confidence[known], right[known]
    place = np.clip((stated * bins).astype(np.int64), 0, bins - 1)
    counts = np.bincount(place, minlength=bins).astype(np.float64)
    filled = counts > 0
    means = [
        np.bincount(place, weights=values, minlength=bins)[filled] / counts[filled]
        for values in (stated, observed)
    ]
    return means[0], means[1], counts[filled]


def calls_per_task(calls: FloatArray) -> Figure:
    """Draw how many tasks took how many calls.

    Parameters
    ----------
    calls : ndarray of float64, shape (n,)
    """
    figure = Figure(figsize=(5.2, 3.2))
    axes = figure.subplots()
    numbers, counts = np.unique(calls, return_counts=True)
    axes.bar(numbers, counts, color=PALETTE[2], width=0.8)
    axes.set_xlabel("calls")
    axes.set_ylabel("tasks")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def strongest(asked: Asked, topics: int = 25, experts: int = 30) -> Asked:
    """Keep the topics and experts with the most calls, in their order.

    Parameters
    ----------
    asked : Asked
    topics, experts : int
        How many to keep at most.
    """
    rows = np.sort(np.argsort(-asked.calls.sum(axis=1), kind="stable")[:topics])
    columns = np.sort(np.argsort(-asked.calls.sum(axis=0), kind="stable")[:experts])
    return Asked(
        tuple(asked.topics[row] for row in rows),
        tuple(asked.experts[column] for column in columns),
        asked.calls[np.ix_(rows, columns)],
    )


def _number_points(axes: Axes, rows: Sequence[Summary]) -> None:
    """Mark what is named beside the plot: all but the experts that a cheaper one beats."""
    named = [row for row in rows if row.kind != "expert" or row.name in _frontier(rows)]
    for number, row in enumerate(named, start=1):
        axes.annotate(
            str(number),
            (row.cost, row.accuracy),
            xytext=(5, 4),
            textcoords="offset points",
            fontsize=8,
        )
    key = "\n".join(f"{number}  {row.name}" for number, row in enumerate(named, start=1))
    axes.text(1.02, 1.0, key, transform=axes.transAxes, va="top", fontsize=8, linespacing=1.5)


def _frontier(rows: Sequence[Summary]) -> set[str]:
    """Name the experts that no cheaper one equals."""
    best = -1.0
    frontier = set()
    for row in sorted(rows, key=lambda row: (row.cost, -row.accuracy)):
        if row.kind == "expert" and row.accuracy > best:
            best = row.accuracy
            frontier.add(row.name)
    return frontier


def _thinned(start: int, stop: int) -> npt.NDArray[np.int64]:
    count = min(stop - start, _POINTS)
    return np.unique(np.linspace(start, max(stop - 1, start), count).astype(np.int64))


def _trailing_mean(values: FloatArray, window: int) -> FloatArray:
    sums = np.concatenate(([0.0], np.cumsum(values)))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - window, 0)
    return np.asarray((sums[ends] - sums[starts]) / (ends - starts))
